--- Finds the new name of a file that the agent has renamed.
local M = {}

local events = require("codex-chat.events")
local registry = require("codex-chat.registry")

---@param path string
---@return codex-chat.Chat?
local function chat_of(path)
  return vim.iter(registry.all()):find(function(chat)
    return chat.host == "attached" and vim.startswith(path, chat.root .. "/")
  end)
end

---@param chat codex-chat.Chat
---@param path string
---@param callback fun(new_path?: string)
local function ask(chat, path, callback)
  local params = { since = "turn", quick = true }
  require("codex-chat.host.request").run(chat, "changes/list", params, function(changes)
    for _, file in ipairs(changes and changes.files or {}) do
      if file.old == path then
        callback(file.path)
        return
      end
    end
    callback(nil)
  end)
end

--- Asks the host, once the running turn is over: only then its changes are on record.
---@param path string absolute
---@param callback fun(new_path?: string) called once
function M.find(path, callback)
  local chat = chat_of(path)
  if not chat then
    callback(nil)
  elseif not require("codex-chat.status").is_busy(chat.state.phase) then
    ask(chat, path, callback)
  else
    local off
    off = events.on("TurnEnded", function(data)
      if data.buf == chat.buf then
        off()
        ask(chat, path, callback)
      end
    end)
  end
end

return M
