--- The buffer that "this file" in a query means: the one that the user came from.
local M = {}

local api = vim.api

---@param buf integer
---@return boolean
local function is_text(buf)
  return api.nvim_buf_is_loaded(buf)
    and vim.bo[buf].buftype == ""
    and not require("codex-chat.registry").get(buf)
end

--- The current buffer, else the one of the previous window, of another window in the tabpage, or the
--- one that was last used; never a chat.
---@return integer?
function M.get()
  local wins = { api.nvim_get_current_win(), vim.fn.win_getid(vim.fn.winnr("#")) }
  for _, win in ipairs(vim.list_extend(wins, api.nvim_tabpage_list_wins(0))) do
    if win ~= 0 and api.nvim_win_is_valid(win) and is_text(api.nvim_win_get_buf(win)) then
      return api.nvim_win_get_buf(win)
    end
  end
  local infos = vim.tbl_filter(function(info)
    return is_text(info.bufnr)
  end, vim.fn.getbufinfo({ buflisted = 1 }))
  table.sort(infos, function(a, b)
    return a.lastused > b.lastused
  end)
  return infos[1] and infos[1].bufnr
end

return M
