--- The conversations of a project, or of all: listing them, and what is done with the one picked.
local M = {}

local say = require("codex-chat.message")

--- Each task loads what it needs when it is done.
---@param module string
---@param fn string
---@return fun(it: codex-chat.ThreadSummary, force?: boolean)
local function lazily(module, fn)
  return function(it, force)
    require("codex-chat.threads." .. module)[fn](it, force)
  end
end

---@type table<string, { prompt: string, run: fun(it: codex-chat.ThreadSummary, force?: boolean), archived?: boolean }>
local tasks = {
  open = { prompt = "Conversation", run = lazily("tasks", "open") },
  manage = { prompt = "Do something with which conversation?", run = lazily("tasks", "manage") },
  rename = { prompt = "Rename which conversation?", run = lazily("rename", "ask") },
  archive = { prompt = "Archive which conversation?", run = lazily("tasks", "archive") },
  unarchive = {
    prompt = "Take which conversation out of the archive?",
    run = lazily("tasks", "unarchive"),
    archived = true,
  },
  delete = { prompt = "Delete which conversation?", run = lazily("tasks", "delete") },
  archived = {
    prompt = "Archived conversation",
    run = lazily("tasks", "manage"),
    archived = true,
  },
}

--- The words that `:CodexChat threads` takes.
M.tasks = { "open", "manage", "rename", "archive", "unarchive", "delete", "archived" }

--- How long ago, in a word or two.
---@param seconds number
---@return string
local function age(seconds)
  local units = { { 86400 * 365, "y" }, { 86400, "d" }, { 3600, "h" }, { 60, "min" } }
  for _, unit in ipairs(units) do
    if seconds >= unit[1] then
      return ("%d %s"):format(math.floor(seconds / unit[1]), unit[2])
    end
  end
  return "now"
end

--- Gives the line of a conversation in a menu.
---@param all boolean
---@return fun(it: codex-chat.ThreadSummary): string
local function formatter(all)
  local now = os.time()
  local own = require("codex-chat.host").pid()
  local projects = require("codex-chat.project")
  local here = {}
  for _, chat in ipairs(require("codex-chat.registry").all()) do
    here[vim.uv.fs_realpath(chat.path) or chat.path] = true
    here[chat.path] = true
  end
  local locks = {}
  -- One look at a directory, however many conversations it has.
  local function may_be_locked(path)
    local lock = projects.lock_path(path)
    local dir = vim.fs.dirname(lock)
    if not locks[dir] then
      locks[dir] = {}
      for _, entry in ipairs(require("codex-chat.disk.look").list(dir, ".lock") or {}) do
        locks[dir][entry.name] = true
      end
    end
    return locks[dir][vim.fs.basename(lock)] ~= nil
  end
  return function(it)
    local parts = {}
    if all then
      parts[1] = it.root and vim.fs.basename(it.root):gsub("%c", " ") or "project unknown"
    end
    parts[#parts + 1] = age(now - it.mtime)
    local plural = it.turns == 1 and not it.more and "" or "s"
    parts[#parts + 1] = it.problem and "cannot be read"
      or ("%s%d turn%s"):format(it.more and "over " or "", it.turns, plural)
    if it.query ~= "" and it.query ~= it.name then
      parts[#parts + 1] = it.query
    end
    if it.archived then
      parts[#parts + 1] = "archived"
    end
    if here[it.path] then
      parts[#parts + 1] = "open here"
    elseif may_be_locked(it.path) and projects.is_locked(it.path, own) then
      parts[#parts + 1] = "open in another Neovim"
    end
    return ("%s  (%s)"):format(it.name, table.concat(parts, " · "))
  end
end

--- `:CodexChat[!] threads [task]`: lists conversations, and does the task with the one picked.
---@param word string
---@param all boolean of all projects
function M.pick(word, all)
  local task = tasks[word == "" and "open" or word]
  if not task then
    say.error(("`:CodexChat threads` takes %s."):format(table.concat(M.tasks, ", ")))
    return
  end
  local wanted = { all = all, archived = task.archived }
  require("codex-chat.threads.list").read(wanted, function(summaries, problems)
    if #problems > 0 then
      say.warn("not everything can be listed: " .. table.concat(problems, "; "))
      if #summaries == 0 then
        return
      end
    end
    if #summaries == 0 then
      local none = task.archived and "nothing is archived." or "there is no conversation yet."
      say.info(none)
      return
    end
    vim.ui.select(summaries, {
      prompt = task.prompt,
      kind = "codex-chat-thread",
      format_item = formatter(all),
    }, function(it)
      if it then
        task.run(it)
      end
    end)
  end)
end

--- Does a task with the conversation that is open here.
---@param word "rename"|"archive"|"unarchive"|"delete"
---@param rest string the name, for renaming
---@param force? boolean without a question
function M.current(word, rest, force)
  local chat = require("codex-chat.project").current_chat()
  if not chat then
    say.info("no conversation is open. :CodexChat opens one.")
    return
  end
  local it = require("codex-chat.threads.list").of_chat(chat)
  if word == "rename" and rest ~= "" then
    require("codex-chat.threads.rename").rename(it, rest)
  else
    tasks[word].run(it, force)
  end
end

--- `:CodexChat[!] search {text}`
---@param text string
---@param all boolean
function M.search(text, all)
  require("codex-chat.threads.search").run(text, all)
end

return M
