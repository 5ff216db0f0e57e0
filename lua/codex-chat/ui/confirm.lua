--- Asks before something is removed.
local M = {}

local say = require("codex-chat.message")

--- Whether `vim.ui.select()` is Neovim's own: a numbered list that takes a number.
---@return boolean
function M.is_builtin_menu()
  local source = debug.getinfo(vim.ui.select, "S").source
  return source:find("vim/ui.lua", 1, true) ~= nil
end

--- Whether nobody is there to answer: no screen is attached, and it is Neovim's own question that would
--- be shown on one.
---@return boolean
local function is_alone()
  return #vim.api.nvim_list_uis() == 0 and M.is_builtin_menu()
end

--- Whether somebody can be asked; false after a message that names the command which does not ask.
---@param command string
---@return boolean
function M.can_ask(command)
  if not is_alone() then
    return true
  end
  say.error(
    ("nothing was removed, because nobody can answer the question here. `:%s` does not ask."):format(
      command
    )
  )
  return false
end

---@class (exact) codex-chat.Confirmation
---@field question string names what is removed, and what stays
---@field yes string
---@field no string
---@field kind string of vim.ui.select()
---@field command string the command that does it without asking

--- Calls `run` once the user has agreed; if nobody can answer, nothing is done.
---@param confirmation codex-chat.Confirmation
---@param run fun()
function M.ask(confirmation, run)
  if not M.can_ask(confirmation.command) then
    return
  end
  vim.ui.select(
    { confirmation.yes, confirmation.no },
    { prompt = confirmation.question, kind = confirmation.kind },
    function(choice)
      if choice == confirmation.yes then
        run()
      end
    end
  )
end

return M
