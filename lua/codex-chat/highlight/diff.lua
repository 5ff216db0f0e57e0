--- The lines of a diff: their numbers, and the backgrounds of changes.
local M = {}

local painter = require("codex-chat.highlight.painter")

local api = vim.api

--- The number of a line, in a column of its own.
local line_number = "%5d "

---@class (exact) codex-chat.Diff where a diff is, while its lines are painted
---@field old integer? the number of the next line before the change; nil where it is not known
---@field new integer?
---@field hunks integer

--- A line of a diff: its number, and the background of a change.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param diff codex-chat.Diff
function M.line(at, row, line, diff)
  local sort = line:sub(1, 1)
  if sort == "@" then
    local old, new = line:match("^@@ %-(%d+),?%d* %+(%d+)")
    diff.old, diff.new, diff.hunks = tonumber(old), tonumber(new), diff.hunks + 1
    painter.color(at, row, 0, #line, "CodexChatHunk")
    if diff.hunks == 1 and old then
      painter.hide_line(at, row)
    end
    return
  end
  local number = sort == "-" and diff.old or diff.new
  if sort == "+" then
    painter.color(at, row, 0, #line, "CodexChatAdded")
    painter.band(at, row, row + 1, "CodexChatAddedLine", 30)
  elseif sort == "-" then
    painter.color(at, row, 0, #line, "CodexChatRemoved")
    painter.band(at, row, row + 1, "CodexChatRemovedLine", 30)
  end
  if number and (sort == "+" or sort == "-" or sort == " " or line == "") then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
      virt_text = { { line_number:format(number), "CodexChatLineNr" } },
      virt_text_pos = "inline",
    })
    diff.old = diff.old + (sort == "+" and 0 or 1)
    diff.new = diff.new + (sort == "-" and 0 or 1)
  end
end

return M
