--- Folds in the current window.
local M = {}

local runs = require("codex-chat.buffer.fold.runs")

local api = vim.api

--- Makes one fold in the current window. Neither view nor cursor moves.
---@param first integer? 0-based
---@param last integer? inclusive
function M.make(first, last)
  if not first or not last or last <= first then
    return
  end
  local view = vim.fn.winsaveview()
  vim.cmd(("silent! keepjumps %d,%dfold"):format(first + 1, last + 1))
  -- `:fold` leaves a fold around the cursor open, and the cursor where it was.
  if view.lnum <= first or view.lnum > last + 1 then
    vim.cmd(("silent! %dfoldclose"):format(first + 1))
  end
  if vim.fn.line("w0") ~= view.topline or vim.fn.line(".") ~= view.lnum then
    vim.fn.winrestview(view)
  end
end

--- Whether Neovim has made this fold in the window already: a window that gets a buffer has the folds
--- of the buffer's last window, as the user left them.
---@param first integer? its first row
---@return boolean
function M.is_inherited(first)
  return first ~= nil and vim.fn.foldlevel(first + 1) > 0
end

--- Deletes the closed fold that begins at a row of the current window, unless it ends where it should.
---@param buf integer
---@param row integer
---@param last? integer where it should end; nil: nowhere
---@return boolean deleted
function M.delete_other(buf, row, last)
  local stop = vim.fn.foldclosedend(row + 1) - 1
  if vim.fn.foldclosed(row + 1) ~= row + 1 or stop == last or runs.line(buf, row, stop) then
    return false
  end
  local view = vim.fn.winsaveview()
  api.nvim_win_set_cursor(0, { row + 1, 0 })
  vim.cmd("silent! keepjumps normal! zd")
  vim.fn.winrestview(view)
  return true
end

return M
