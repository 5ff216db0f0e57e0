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

--- Adds the folds that a window may show around a row: those within twice its height of visible lines.
---@param buf integer
---@param ns integer
---@param marks integer[][] ids and first rows, in the order of their rows
---@param row integer
---@param room integer visible lines
---@param found table<integer, true> by id
local function add_near(buf, ns, marks, row, room, found)
  local n = #marks
  while n > 0 and marks[n][2] > row do
    n = n - 1
  end
  for step = -1, 1, 2 do
    local left, edge, i = room, row, step < 0 and n or n + 1
    while marks[i] do
      local first, last = M.rows(buf, ns, marks[i][1])
      -- What is between two folds, and the line of the fold itself.
      left = left - (step < 0 and math.max(edge - (last or edge), 1) or (first or edge) - edge)
      if left < 0 then
        break
      end
      found[marks[i][1]] = true
      edge, i = step < 0 and first or last or edge, i + step
    end
  end
end

--- Those that a window may show: around its cursor and at the buffer's end.
---@param buf integer
---@param ns integer
---@param marks integer[][] ids and first rows, in the order of their rows
---@param win integer
---@return table<integer, true> by id
function M.near(buf, ns, marks, win)
  local found, row = {}, api.nvim_win_get_cursor(win)[1] - 1
  local room = 2 * api.nvim_win_get_height(win)
  add_near(buf, ns, marks, api.nvim_buf_line_count(buf), room, found)
  -- The cursor of a window that has just been opened is on the first line, and not for long.
  if row > 0 then
    add_near(buf, ns, marks, row, room, found)
  end
  return found
end

return M
