--- What a chunk is painted with: colours, backgrounds, signs and hidden text, each an extmark.
local M = {}

local api = vim.api

--- Neovim 0.11 can hide whole lines.
local hides_lines = vim.fn.has("nvim-0.11") == 1

---@class (exact) codex-chat.Painter
---@field buf integer
---@field ns integer
---@field row integer the first line's
---@field lines string[]

---@param at codex-chat.Painter
---@param row integer
---@param first integer 0-based, in bytes
---@param last integer exclusive
---@param group string
---@param priority? integer
function M.color(at, row, first, last, group, priority)
  api.nvim_buf_set_extmark(at.buf, at.ns, row, first, {
    end_col = last,
    hl_group = group,
    priority = priority or 120,
    strict = false,
  })
end

---@param at codex-chat.Painter
---@param row integer
---@param first integer
---@param last integer exclusive
---@param char? string that is shown instead
function M.conceal(at, row, first, last, char)
  if last > first then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, first, {
      end_col = last,
      conceal = char or "",
      priority = 130,
      strict = false,
    })
  end
end

--- Hides a line, where Neovim can.
---@param at codex-chat.Painter
---@param row integer
---@return boolean hidden
function M.hide_line(at, row)
  if hides_lines then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, { conceal_lines = "" })
  end
  return hides_lines
end

--- A background to the window's edge. An extmark for each row: one over all rows would be cleared with
--- the chunk below, where it ends.
---@param at codex-chat.Painter
---@param first integer
---@param stop integer exclusive
---@param group string
---@param priority? integer
function M.band(at, first, stop, group, priority)
  for row = first, stop - 1 do
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
      line_hl_group = group,
      priority = priority or 10,
    })
  end
end

---@param at codex-chat.Painter
---@param row integer
---@param text string of one column
---@param group string
function M.sign(at, row, text, group)
  api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
    sign_text = text,
    sign_hl_group = group,
    priority = 20,
  })
end

---@param at codex-chat.Painter
---@param row integer
---@return string
function M.line_at(at, row)
  local line = at.lines[row - at.row + 1]
  return line or row >= 0 and api.nvim_buf_get_lines(at.buf, row, row + 1, false)[1] or ""
end

return M
