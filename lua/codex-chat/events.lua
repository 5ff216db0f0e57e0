--- Events in conversations, as `User` autocommands; :help codex-chat-events describes their data.
local M = {}

local say = require("codex-chat.message")

local api = vim.api

--- Every event, without the prefix `CodexChat`.
M.names = {
  "Opened",
  "Closed",
  "Renamed",
  "StateChanged",
  "QuerySent",
  "QueryHeard",
  "TurnStarted",
  "TurnEnded",
  "ApprovalRequested",
  "ApprovalAnswered",
  "FilesChanged",
  "ReviewChanged",
  "HostEnded",
}

---@type table<string, (fun(data: table))[]> the plugin's own listeners
local hooks = {}
---@type table<string, true> groups that exist
local groups = {}

--- Makes an autocommand group for something that starts with the first conversation; nil if the group,
--- and so its autocommands, exist already.
---@param name string without "codex-chat."
---@return integer? group
function M.first_group(name)
  if groups[name] then
    return nil
  end
  groups[name] = true
  return api.nvim_create_augroup("codex-chat." .. name, {})
end

--- Calls `fn` at an event, before the user's handlers. `:autocmd!` does not remove it.
---@param name codex-chat.EventName
---@param fn fun(data: table)
function M.hook(name, fn)
  hooks[name] = hooks[name] or {}
  table.insert(hooks[name], fn)
end

--- Raises an event. An error in a handler of the user's is shown, and stops nothing here.
---@param name codex-chat.EventName
---@param data table
function M.emit(name, data)
  for _, fn in ipairs(hooks[name] or {}) do
    fn(data)
  end
  local ok, err = pcall(api.nvim_exec_autocmds, "User", {
    pattern = "CodexChat" .. name,
    modeline = false,
    data = data,
  })
  if not ok then
    say.error(("a handler of %s failed: %s"):format(name, err))
  end
end

--- Calls `fn` with the event's data and name, until the returned function is called.
---@param name codex-chat.EventName|"*"|string
---@param fn fun(data: table, name: codex-chat.EventName)
---@return fun() off
function M.on(name, fn)
  local bare = name:gsub("^CodexChat", "")
  if bare ~= "*" and not vim.list_contains(M.names, bare) then
    error(
      ("codex-chat: there is no event `%s`; use one of %s"):format(
        name,
        table.concat(M.names, ", ")
      ),
      3
    )
  end
  local id = api.nvim_create_autocmd("User", {
    pattern = "CodexChat" .. bare,
    desc = "codex-chat: on(" .. bare .. ")",
    callback = function(args)
      fn(args.data or {}, (args.match:gsub("^CodexChat", "")))
    end,
  })
  return function()
    pcall(api.nvim_del_autocmd, id)
  end
end

return M
