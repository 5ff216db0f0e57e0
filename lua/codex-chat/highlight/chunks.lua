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

---@type table<integer, table<integer, codex-chat.Fence>> by buffer and mark: fences that chunks start in
local fences = {}

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

--- Cuts the rows from `first` to before `stop` again; both start chunks.
---@param buf integer
---@param first integer
---@param stop integer
---@param fence codex-chat.Fence? that is open there
local function cut(buf, first, stop, fence)
  local inside = fences[buf] or {}
  fences[buf] = inside
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buf, ns, { first, 0 }, { stop - 1, -1 }, {})) do
    inside[mark[1]] = nil
  end
  api.nvim_buf_clear_namespace(buf, ns, first, stop)
  inside[api.nvim_buf_set_extmark(buf, ns, first, 0, {})] = fence
  local lines = api.nvim_buf_get_lines(buf, first, stop, false)
  local count, bytes = 0, 0
  for i, line in ipairs(lines) do
    fence = format.step(fence, line)
    count, bytes = count + 1, bytes + #line
    local ends = not fence and line == "" and i < #lines and lines[i + 1] ~= ""
    if ends or (i < #lines and (count >= max_lines or bytes >= max_bytes)) then
      inside[api.nvim_buf_set_extmark(buf, ns, first + i, 0, {})] = fence
      count, bytes = 0, 0
    end
  end
end

--- Cuts the whole buffer.
---@param buf integer
function M.cut_all(buf)
  cut(buf, 0, api.nvim_buf_line_count(buf))
end

--- Cuts the rows of a change again. Their chunks are new afterwards.
---@param buf integer
---@param first integer the changed rows
---@param stop integer end of the changed rows as they are now
---@return integer first
---@return integer stop of the rows that were cut
function M.update(buf, first, stop)
  local count = api.nvim_buf_line_count(buf)
  -- The blank line above decides where a chunk starts.
  local mark, start = chunk_at(buf, math.max(0, math.min(first, count - 1) - 1))
  local finish = next_start(buf, math.min(math.max(first, stop - 1), count - 1))
  cut(buf, start, finish, (fences[buf] or {})[mark])
  return start, finish
end

---@class (exact) codex-chat.Chunk
---@field mark integer
---@field first integer
---@field stop integer exclusive
---@field fence codex-chat.Fence? that its first line is in

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

--- Forgets all chunks.
---@param buf integer
function M.clear(buf)
  fences[buf] = nil
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
end

return M
