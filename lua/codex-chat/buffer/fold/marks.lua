--- Rows that are remembered by an extmark. 0-based, the last one inclusive.
local M = {}

local api = vim.api

--- Marks rows; a line that is added at their end becomes one of them.
---@param buf integer
---@param ns integer
---@param first integer
---@param last integer
---@param id? integer of the extmark to move
---@return integer mark
function M.set(buf, ns, first, last, id)
  local count = api.nvim_buf_line_count(buf)
  return api.nvim_buf_set_extmark(buf, ns, first, 0, {
    id = id,
    end_row = math.min(last + 1, count),
    end_col = 0,
    strict = false,
    right_gravity = true,
    end_right_gravity = false,
  })
end

--- The rows of a mark; nil if it is gone.
---@param buf integer
---@param ns integer
---@param mark integer
---@return integer? first
---@return integer? last
function M.rows(buf, ns, mark)
  local pos = api.nvim_buf_get_extmark_by_id(buf, ns, mark, { details = true })
  if not pos[1] then
    return nil
  end
  local last = pos[3].end_row or pos[1]
  if (pos[3].end_col or 0) == 0 then
    last = last - 1
  end
  return pos[1], math.min(last, api.nvim_buf_line_count(buf) - 1)
end

return M
