--- How many columns text has in a window: without signs, numbers and folds at its left.
local M = {}

local api = vim.api

---@param win integer
---@return integer
function M.of(win)
  return api.nvim_win_get_width(win) - vim.fn.getwininfo(win)[1].textoff
end

--- Those of the narrowest window that shows a buffer, and no more than `most`.
---@param buf integer
---@param most integer
---@return integer
function M.narrowest(buf, most)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    most = math.min(most, M.of(win))
  end
  return most
end

return M
