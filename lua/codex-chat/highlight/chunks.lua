--- Cuts a conversation into chunks that can be highlighted separately: at blank lines outside fences.
--- Their starts are extmarks, so they move with the text, and a change costs no more than its chunk. A
--- chunk is bounded: without a blank line it is cut at its size, and the next one continues in its
--- fence.
local M = {}

local format = require("codex-chat.format")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.highlight.chunks")

--- The largest chunk. A longer one would be highlighted by pattern anyway, and each change would be
--- checked with everything above it in the chunk.
local max_lines, max_bytes = 1000, 64 * 1024

--- Where cutting can go on: in this chunk, before this row.
---@class (exact) codex-chat.Cut
---@field row integer
---@field mark integer of the chunk
---@field fence codex-chat.Fence? that is open there
---@field count integer lines of the chunk above the row
---@field bytes integer in them

---@type table<integer, table<integer, codex-chat.Fence>> by buffer and mark: fences that chunks start in
local fences = {}
---@type table<integer, codex-chat.Cut?> by buffer: just above the last change
local last_cuts = {}
--- How many lines `M.more` cuts at once.
local slice_lines = 2000
---@type table<integer, { at?: codex-chat.Cut, stop: integer }?> by buffer: where the rows that are not cut
--- begin, and the mark below them
local rests = {}

---@param buf integer
---@param row integer
---@return integer? mark
---@return integer start of the chunk that holds `row`
local function chunk_at(buf, row)
  -- A search backwards for the nearest mark would collect all marks from the buffer's start.
  local reach = 50
  while true do
    local from = math.max(0, row - reach)
    local marks = api.nvim_buf_get_extmarks(buf, ns, { from, 0 }, { row, -1 }, {})
    local found = marks[#marks]
    if found then
      return found[1], found[2]
    end
    if from == 0 then
      return nil, 0
    end
    reach = reach * 4
  end
end

--- The first row of the chunk after the one that holds `row`.
---@param buf integer
---@param row integer
---@return integer
local function next_start(buf, row)
  local found = api.nvim_buf_get_extmarks(buf, ns, { row + 1, 0 }, -1, { limit = 1 })[1]
  return found and found[2] or api.nvim_buf_line_count(buf)
end

--- Starts a chunk.
---@param buf integer
---@param row integer
---@param fence codex-chat.Fence? that is open there
---@param mark? integer of the chunk that started there before
---@return codex-chat.Cut
local function begin(buf, row, fence, mark)
  mark = mark or api.nvim_buf_set_extmark(buf, ns, row, 0, {})
  fences[buf][mark] = fence
  return { row = row, mark = mark, fence = fence, count = 0, bytes = 0 }
end

--- Cuts the rows from `at` to before `stop` again; `stop` starts a chunk.
---@param buf integer
---@param at codex-chat.Cut
---@param stop integer
---@param first integer the changed rows
---@param changed integer end of the changed rows: the next change is likely to begin in the last one
---@return table<integer, boolean> marks of the new or changed chunks; false for those that are gone
---@return codex-chat.Cut? above just above the last changed row, whose end decides whether that starts a chunk
local function cut(buf, at, stop, first, changed)
  local marks, before = {}, {}
  for _, old in ipairs(api.nvim_buf_get_extmarks(buf, ns, { at.row, 0 }, { stop - 1, -1 }, {})) do
    if old[1] ~= at.mark then
      marks[old[1]] = false
      before[old[2]] = old[3] == 0 and old[1] or nil
    end
  end
  local lines = api.nvim_buf_get_lines(buf, at.row, stop, false)
  local mark, fence, count, bytes = at.mark, at.fence, at.count, at.bytes
  local above
  marks[mark] = true
  for i, line in ipairs(lines) do
    local row = at.row + i
    if row == changed - 1 then
      above = { row = row - 1, mark = mark, fence = fence, count = count, bytes = bytes }
    end
    fence = format.step(fence, line)
    count, bytes = count + 1, bytes + #line
    local ends = not fence and line == "" and i < #lines and lines[i + 1] ~= ""
    if ends or (i < #lines and (count >= max_lines or bytes >= max_bytes)) then
      local known = before[row]
      if known and row <= first and mark == at.mark then
        -- The change is all below the chunk above.
        marks[mark] = nil
      end
      mark = begin(buf, row, fence, known).mark
      marks[mark] = true
      count, bytes = 0, 0
    end
  end
  for old, is_there in pairs(marks) do
    if not is_there then
      fences[buf][old] = nil
      api.nvim_buf_del_extmark(buf, ns, old)
    end
  end
  return marks, above
end

--- Cuts the buffer from a row on that starts a chunk outside of fences. `M.more` cuts the rows above.
---@param buf integer
---@param row integer
function M.cut_from(buf, row)
  fences[buf], last_cuts[buf] = {}, nil
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  local at = begin(buf, row)
  local stop = api.nvim_buf_line_count(buf)
  cut(buf, at, stop, row, stop)
  rests[buf] = row > 0 and { stop = at.mark } or nil
end

--- Cuts the whole buffer.
---@param buf integer
function M.cut_all(buf)
  M.cut_from(buf, 0)
end

--- The first row that is cut.
---@param buf integer
---@return integer
function M.first_row(buf)
  local rest = rests[buf]
  return rest and api.nvim_buf_get_extmark_by_id(buf, ns, rest.stop, {})[1] or 0
end

--- Cuts some of the rows that are not cut yet, from the top.
---@param buf integer
---@return boolean more whether there are still some
function M.more(buf)
  local rest = rests[buf]
  if not rest then
    return false
  end
  local row = M.first_row(buf)
  local at = rest.at or begin(buf, 0)
  local stop = math.min(at.row + slice_lines, row)
  local _, above = cut(buf, at, stop, at.row, stop)
  rest.at = above
  if stop == row or not above then
    rests[buf] = nil
  end
  return rests[buf] ~= nil
end

--- Cuts the rows of a change again.
---@param buf integer
---@param first integer the changed rows
---@param stop integer end of the changed rows as they are now
---@return table<integer, boolean>? marks of the new or changed chunks; false for those that are gone;
--- nil where all are new
function M.update(buf, first, stop)
  if first < M.first_row(buf) then
    -- Among rows that are not cut.
    M.cut_all(buf)
    return nil
  end
  local count = api.nvim_buf_line_count(buf)
  -- The last changed line decides whether a chunk starts below it.
  local finish = next_start(buf, math.min(math.max(first, stop), count - 1))
  local at = last_cuts[buf]
  if not at or at.row >= first then
    last_cuts[buf] = nil
    -- The blank line above decides where a chunk starts.
    local mark, row = chunk_at(buf, math.max(0, math.min(first, count - 1) - 1))
    local fence = mark and fences[buf][mark] or nil
    -- A change of the first line may have moved the mark there.
    at = first > 0 and mark and { row = row, mark = mark, fence = fence, count = 0, bytes = 0 }
      or begin(buf, 0)
  end
  local marks, above = cut(buf, at, finish, first, stop)
  last_cuts[buf] = above or last_cuts[buf]
  return marks
end

---@class (exact) codex-chat.Chunk
---@field mark integer
---@field first integer
---@field stop integer exclusive
---@field fence codex-chat.Fence? that its first line is in

--- Where a chunk is.
---@param buf integer
---@param mark integer
---@return codex-chat.Chunk?
function M.at(buf, mark)
  local row = api.nvim_buf_get_extmark_by_id(buf, ns, mark, {})[1]
  if row then
    return { mark = mark, first = row, stop = next_start(buf, row), fence = fences[buf][mark] }
  end
end

--- The chunks that have rows between `first` and `last`: marks with their rows, ends exclusive.
---@param buf integer
---@param first integer
---@param last integer
---@return codex-chat.Chunk[]
function M.between(buf, first, last)
  local _, start = chunk_at(buf, first)
  local marks = api.nvim_buf_get_extmarks(buf, ns, { start, 0 }, { last, -1 }, {})
  local found = {}
  for i, mark in ipairs(marks) do
    local stop = marks[i + 1] and marks[i + 1][2] or next_start(buf, mark[2])
    if stop > mark[2] then
      local fence = (fences[buf] or {})[mark[1]]
      found[#found + 1] = { mark = mark[1], first = mark[2], stop = stop, fence = fence }
    end
  end
  return found
end

--- The first row of the chunk that holds a row; nil where none is cut.
---@param buf integer
---@param row integer
---@return integer?
function M.start_of(buf, row)
  local mark, first = chunk_at(buf, row)
  return mark and first or nil
end

--- Forgets all chunks.
---@param buf integer
function M.clear(buf)
  fences[buf], last_cuts[buf], rests[buf] = nil, nil, nil
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
end

return M
