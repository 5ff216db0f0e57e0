--- What happens in conversations, as `User` autocommands; :help codex-chat-events has their data.
local M = {}

local say = require("codex-chat.message")

local api = vim.api

--- All of them, without the `CodexChat` before their names.
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
  "HostEnded",
}

---@type table<string, (fun(data: table))[]> our own listeners
local hooks = {}
---@type table<string, true> names of groups that were made
local groups = {}

--- The group of autocommands of what is watched from the first conversation on; nil where it was made
--- before, and its autocommands are there.
---@param name string without "codex-chat."
---@return integer? group
function M.first_group(name)
  if groups[name] then
    return nil
  end
  groups[name] = true
  return api.nvim_create_augroup("codex-chat." .. name, {})
end

--- Has one of our own modules hear of it, before the user's handlers and whatever `:autocmd!` takes.
---@param name codex-chat.EventName
---@param fn fun(data: table)
function M.hook(name, fn)
  hooks[name] = hooks[name] or {}
  table.insert(hooks[name], fn)
end

--- Raises one. What a handler of the user's raises is shown, and breaks nothing of ours.
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

--- Calls `fn` with the event's name and data, until the function that it gives is called.
---@param name codex-chat.EventName|"*"|string
---@param fn fun(data: table, name: codex-chat.EventName)
---@return fun() off
function M.on(name, fn)
  local bare = name:gsub("^CodexChat", "")
  if bare ~= "*" and not vim.list_contains(M.names, bare) then
    error(
      ("codex-chat: there is no event `%s`; there are %s"):format(name, table.concat(M.names, ", ")),
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
