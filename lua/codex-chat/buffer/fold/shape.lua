--- Which rows stand closed: a call is one line with its output in it, and of a long diff the beginning
--- stays in view. Rows are 0-based, the last one inclusive.
local M = {}

local calls = require("codex-chat.buffer.calls")
local format = require("codex-chat.format")

--- A diff of at most so many lines stands open; of a longer one, so much of its first hunk.
local open_lines = 12
--- So many lines of a failed command's output stay in view below it.
local failed_lines = 2
--- They are looked for among so many, blank ones included.
local failed_reach = 6
--- How far above a fence its call is looked for: the reason of a question stands between them.
local reach = 50
--- Neovim 0.11 can hide whole lines.
M.hides_lines = vim.fn.has("nvim-0.11") == 1

---@alias codex-chat.LineAt fun(row: integer): string? the line of a row; nil above and below the text

--- The lines of a buffer.
---@param buf integer
---@return codex-chat.LineAt
function M.reader(buf)
  return function(row)
    return row >= 0 and vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or nil
  end
end

--- The row of the call whose details begin at a row.
---@param line_at codex-chat.LineAt
---@param first integer
---@return integer?
local function call_above(line_at, first)
  local in_fence = false
  for row = first - 1, math.max(0, first - reach), -1 do
    local line = line_at(row) or ""
    local _, edge = format.step(nil, line)
    if edge then
      in_fence = not in_fence
    elseif not in_fence and line:byte(1) ~= 62 then -- ">"
      return calls.verb_of(line) and row or nil
    end
  end
end

--- The rows of a long diff that are folded: all below its first hunk, or below its first lines.
---@param line_at codex-chat.LineAt
---@param first integer the fence's row
---@param last integer
---@return integer? first
local function rest_of_diff(line_at, first, last)
  if last - first - 1 <= open_lines then
    return nil
  end
  -- The row below the fence begins the first hunk.
  for row = first + 2, first + 1 + open_lines do
    if (line_at(row) or ""):find("^@@ ") then
      return row
    end
  end
  return first + open_lines - 1
end

--- The row above the last lines of an output that are not blank.
---@param line_at codex-chat.LineAt
---@param first integer the fence's row
---@param last integer
---@return integer
local function above_end(line_at, first, last)
  local row, kept = last - 1, 0
  while row > first and kept < failed_lines and last - row <= failed_reach do
    kept = kept + ((line_at(row) or ""):find("%S") and 1 or 0)
    row = row - 1
  end
  return row
end

--- Whether a line is that of a call that is over.
---@param line string
---@return boolean
function M.is_over(line)
  local _, kind = calls.verb_of(line)
  return kind ~= nil and kind ~= "running" and kind ~= "asks"
end

--- On Neovim 0.10, which hides no lines, the blank line between two calls is part of the first one's fold.
---@param line_at codex-chat.LineAt
---@param last integer the last row of a call
---@return integer last
function M.with_blank(line_at, last)
  if M.hides_lines or line_at(last + 1) ~= "" or not calls.verb_of(line_at(last + 2) or "") then
    return last
  end
  return last + 1
end

--- The rows to fold of a block's; nil where it stays open.
---@param line_at codex-chat.LineAt
---@param first integer
---@param last integer
---@return integer? first
---@return integer? last
---@return boolean? later whether they are folded once the call is no longer a question
function M.of(line_at, first, last)
  local line = line_at(first) or ""
  local opened = format.step(nil, line)
  if M.is_over(line) then
    -- A call without details.
    local blank = M.with_blank(line_at, last)
    return blank > last and first or nil, blank > last and blank or nil
  elseif not opened then
    return first, last
  elseif opened.kind == "patch" then
    local rest = rest_of_diff(line_at, first, last)
    return rest, rest and M.with_blank(line_at, last)
  end
  local row = call_above(line_at, first)
  if not row then
    return first, last
  end
  local verb, kind = calls.verb_of(line_at(row) or "")
  if kind == "asks" then
    return nil, nil, true
  elseif verb == "Failed" and opened.kind == "output" then
    last = above_end(line_at, first, last)
    -- Where little more than these lines is there, all of it is shown.
    return last > first and row or nil, last > first and last or nil
  end
  return row, M.with_blank(line_at, last)
end

return M
