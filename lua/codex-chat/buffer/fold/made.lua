--- Which folds a window has got: each is made there once, and then it is the user's.
local M = {}

--- By window and buffer: the extmarks whose folds are made.
---@alias codex-chat.MadeFolds table<integer, table<integer, table<integer, true>>>

--- Those of a buffer in a window, to look in and to add to.
---@param made codex-chat.MadeFolds
---@param win integer
---@param buf integer
---@return table<integer, true> by extmark
function M.at(made, win, buf)
  made[win] = made[win] or {}
  made[win][buf] = made[win][buf] or {}
  return made[win][buf]
end

--- Forgets those of a buffer, and windows that are closed.
---@param made codex-chat.MadeFolds
---@param buf integer
function M.forget(made, buf)
  for win in pairs(made) do
    made[win][buf] = nil
    if not vim.api.nvim_win_is_valid(win) then
      made[win] = nil
    end
  end
end

return M
