--- Hunks: the places where a file's lines differ, as vim.diff() counts them.
---
--- A side of a hunk is its first line, 1-based, and how many there are. Without lines it is the line that
--- the hunk stands below; 0 is the top.
local M = {}

local api = vim.api

---@class (exact) codex-chat.LineHunk
---@field left integer[] first line and count
---@field right integer[]

--- The user's algorithm, so that hunks are those that diff mode shows.
---@param is_fine boolean
---@return table
local function options(is_fine)
  local given = vim.o.diffopt
  return {
    result_type = "indices",
    algorithm = given:match("algorithm:(%a+)") or "myers",
    indent_heuristic = given:find("indent-heuristic", 1, true) ~= nil,
    linematch = is_fine and tonumber(given:match("linematch:(%d+)")) or nil,
  }
end

---@param lines string[]
---@return string
local function joined(lines)
  return #lines == 0 and "" or table.concat(lines, "\n") .. "\n"
end

--- What has to be done to get from the left lines to the right ones.
---@param left string[]
---@param right string[]
---@param is_fine? boolean whether to cut hunks as the user's "linematch" shows them
---@return codex-chat.LineHunk[]
function M.diff(left, right, is_fine)
  -- Neovim 0.12 has renamed it.
  local diff = vim.text and vim.text.diff or vim.diff
  local found = diff(joined(left), joined(right), options(is_fine == true)) --[[@as integer[][] ]]
  return vim.tbl_map(function(hunk)
    return { left = { hunk[1], hunk[2] }, right = { hunk[3], hunk[4] } }
  end, found)
end

--- The lines added and removed.
---@param hunks codex-chat.LineHunk[]
---@return integer added
---@return integer removed
function M.counts(hunks)
  local added, removed = 0, 0
  for _, hunk in ipairs(hunks) do
    added, removed = added + hunk.right[2], removed + hunk.left[2]
  end
  return added, removed
end

--- The hunk at a line: one that has the line, else one that stands just below or above it.
---@param hunks codex-chat.LineHunk[]
---@param side "left"|"right"
---@param line integer
---@return codex-chat.LineHunk?
---@return integer? index
function M.at(hunks, side, line)
  local near
  for i, hunk in ipairs(hunks) do
    local first, count = hunk[side][1], hunk[side][2]
    if count > 0 and line >= first and line < first + count then
      return hunk, i
    elseif count == 0 and (line == first or line == first + 1) then
      near = near or i
    end
  end
  return near and hunks[near], near
end

--- The part of a hunk's other side that belongs to some of its lines: line by line, and the last of
--- them takes the rest.
---@param hunk codex-chat.LineHunk
---@param side "left"|"right"
---@param first integer
---@param last integer
---@return codex-chat.LineHunk
local function part(hunk, side, first, last)
  local other = side == "left" and "right" or "left"
  local from, count = hunk[side][1], hunk[side][2]
  local o_first, o_count = hunk[other][1], hunk[other][2]
  local skip = math.min(first - from, o_count)
  local take = last >= from + count - 1 and o_count - skip
    or math.min(last - first + 1, o_count - skip)
  local start = o_first + skip
  if take == 0 and o_count > 0 then
    start = start - 1
  end
  return {
    [side] = { first, last - first + 1 },
    [other] = { take == 0 and o_count == 0 and o_first or start, take },
  }
end

--- The hunks in a range of lines, cut to it.
---@param hunks codex-chat.LineHunk[]
---@param side "left"|"right"
---@param first integer
---@param last integer
---@return codex-chat.LineHunk[]
function M.within(hunks, side, first, last)
  local found = {}
  for _, hunk in ipairs(hunks) do
    local from, count = hunk[side][1], hunk[side][2]
    if count == 0 then
      if first <= from and from <= last then
        found[#found + 1] = hunk
      end
    elseif from <= last and from + count - 1 >= first then
      found[#found + 1] = part(hunk, side, math.max(from, first), math.min(from + count - 1, last))
    end
  end
  return found
end

--- The line on the other side that stands beside a line.
---@param hunks codex-chat.LineHunk[]
---@param side "left"|"right"
---@param line integer
---@return integer line may be 0
function M.beside(hunks, side, line)
  local other = side == "left" and "right" or "left"
  local shift = 0
  for _, hunk in ipairs(hunks) do
    local from, count = hunk[side][1], hunk[side][2]
    local o_from, o_count = hunk[other][1], hunk[other][2]
    if count > 0 and line >= from and line < from + count then
      return o_count == 0 and o_from or math.min(o_from + line - from, o_from + o_count - 1)
    elseif line < from or (count == 0 and line == from) then
      break
    end
    local stop = count == 0 and from + 1 or from + count
    local o_stop = o_count == 0 and o_from + 1 or o_from + o_count
    shift = o_stop - stop
  end
  return line + shift
end

--- The lines of the file that decisions are about, as they are now.
---@param review codex-chat.Review
---@return string[]
function M.right_lines(review)
  if not review.right_buf then
    return {}
  end
  local lines = api.nvim_buf_get_lines(review.right_buf, 0, -1, false)
  return #lines == 1 and lines[1] == "" and {} or lines
end

--- The hunks between what the file was and what it is now.
---@param review codex-chat.Review
---@return codex-chat.LineHunk[]
function M.of(review)
  return review.before and M.diff(review.before, M.right_lines(review)) or {}
end

return M
