--- The `:CodexChat sandbox …` commands that remove something: each asks, and says what goes and stays.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

---@param bytes integer
---@return string
local function size(bytes)
  local mib = bytes / 1024 ^ 2
  return mib >= 1024 and ("%.1f GiB"):format(mib / 1024) or ("%d MiB"):format(math.ceil(mib))
end

---@param caches codex-chat.CacheVolume[]
---@return string such as "node_modules (120 MiB), tools (size not known)"
local function list(caches)
  return table.concat(
    vim.tbl_map(function(cache)
      -- SECURITY: the name comes from a label in the engine; one line without control characters.
      local name = tostring(cache.what):gsub("%c", " ")
      return ("%s (%s)"):format(name, cache.bytes and size(cache.bytes) or "size not known")
    end, caches),
    ", "
  )
end

--- Asks the host what could be removed.
---@param chat codex-chat.Chat
---@param callback fun(space: codex-chat.Removable)
local function look(chat, callback)
  action.run(chat, "sandbox/space", {}, function(space, err)
    if err then
      say.error(err)
    else
      callback(space)
    end
  end)
end

---@param chat codex-chat.Chat
---@return string a sentence if a turn would end
local function busy_note(chat)
  local busy = vim.iter(require("codex-chat.registry").all()):any(function(each)
    return each.root == chat.root and require("codex-chat.status").is_busy(each.state.phase)
  end)
  return busy and "The running turn ends. " or ""
end

---@param chat codex-chat.Chat
---@param word string
---@param force boolean
---@param question string
---@param run fun()
local function ask(chat, word, force, question, run)
  if force then
    run()
    return
  end
  require("codex-chat.ui.confirm").ask({
    question = busy_note(chat) .. question,
    yes = "Remove it",
    no = "Keep it",
    kind = "codex-chat-sandbox",
    command = "CodexChat! sandbox " .. word,
  }, run)
end

local untouched = "Your files, conversations and commits stay."

--- `:CodexChat sandbox rebuild`
---@param chat codex-chat.Chat
---@param force boolean
---@param go fun() rebuilds the image and restarts
function M.rebuild(chat, force, go)
  if force then
    go()
    return
  end
  look(chat, function(space)
    local kept = #space.caches == 0 and ""
      or (" Its caches stay as well: %s."):format(list(space.caches))
    local question = "Rebuild the image, which takes minutes? The old image is removed, and so is "
      .. "the container with everything in its /tmp and home. "
      .. untouched
      .. kept
    ask(chat, "rebuild", false, question, go)
  end)
end

--- `:CodexChat sandbox clear`
---@param chat codex-chat.Chat
---@param force boolean
function M.clear(chat, force)
  look(chat, function(space)
    if #space.caches == 0 then
      say.info("this project has no caches in the sandbox; there is nothing to remove.")
      return
    end
    local question = ("Remove the sandbox's caches of this project: %s? The container stops. These directories on your machine stay as they are. %s"):format(
      list(space.caches),
      untouched
    )
    ask(chat, "clear", force, question, function()
      local params = { turn = true, others = force }
      action.run(chat, "sandbox/clear", params, function(removed, err)
        if err then
          say.error(err)
        else
          say.info(("removed %s; the next message starts without them."):format(removed))
        end
      end)
    end)
  end)
end

--- `:CodexChat sandbox prune`
---@param chat codex-chat.Chat
---@param force boolean
function M.prune(chat, force)
  look(chat, function(space)
    local parts = {}
    if space.images.count > 0 then
      parts[1] = ("%d image%s of earlier versions (%s at most)"):format(
        space.images.count,
        space.images.count == 1 and "" or "s",
        size(space.images.bytes)
      )
    end
    if #space.gone > 0 then
      parts[#parts + 1] = "caches of projects that are gone: " .. list(space.gone)
    end
    if #parts == 0 then
      say.info("there is nothing to remove: no old image, and no cache of a project that is gone.")
      return
    end
    local question = ("Remove %s? Anything that running containers and this project use stays."):format(
      table.concat(parts, ", and ")
    )
    ask(chat, "prune", force, question, function()
      action.run(chat, "sandbox/prune", {}, function(said, err)
        if err then
          say.error(err)
        else
          say.info(said)
        end
      end)
    end)
  end)
end

return M
