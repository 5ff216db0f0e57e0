--- Windows of a review in a session that was written while it was open.
---
--- A session names an empty buffer like each of the review's own: these are no files, and go again.
local M = {}

local api = vim.api

---@param buf integer
---@return boolean
local function is_left_over(buf)
  return vim.startswith(api.nvim_buf_get_name(buf), "codex-chat://")
    and vim.bo[buf].buftype == ""
    and not vim.bo[buf].modified
end

--- Closes tab pages of reviews, and removes the buffers.
function M.loaded()
  for _, tab in ipairs(api.nvim_list_tabpages()) do
    local is_review = vim.iter(api.nvim_tabpage_list_wins(tab)):any(function(win)
      local buf = api.nvim_win_get_buf(win)
      return is_left_over(buf) and api.nvim_buf_get_name(buf) == "codex-chat://review"
    end)
    if is_review and #api.nvim_list_tabpages() > 1 then
      pcall(vim.cmd, ("tabclose %d"):format(api.nvim_tabpage_get_number(tab)))
    end
  end
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_valid(buf) and is_left_over(buf) then
      pcall(api.nvim_buf_delete, buf, { force = true })
    end
  end
end

return M
