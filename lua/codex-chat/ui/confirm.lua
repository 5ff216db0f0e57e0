--- Asks before something is removed.
local M = {}

local say = require("codex-chat.message")

--- Whether nobody can answer: no UI is attached, and Neovim itself would ask.
---@return boolean
local function is_alone()
  local source = debug.getinfo(vim.ui.select, "S").source
  return #vim.api.nvim_list_uis() == 0 and source:find("vim/ui.lua", 1, true) ~= nil
end

---@class (exact) codex-chat.Confirmation
---@field question string names what is removed, and what stays
---@field yes string
---@field no string
---@field kind string of vim.ui.select()
---@field command string the command that does it without asking

--- Calls `run` once the user has agreed; if nobody can answer, nothing is done.
---@param it codex-chat.Confirmation
---@param run fun()
function M.ask(it, run)
  if is_alone() then
    say.error(
      ("nothing was removed, because nobody can answer the question here. `:%s` does not ask."):format(
        it.command
      )
    )
    return
  end
  vim.ui.select({ it.yes, it.no }, { prompt = it.question, kind = it.kind }, function(choice)
    if choice == it.yes then
      run()
    end
  end)
end

return M
