--- Cuts a conversation into chunks that can be highlighted each by itself: at blank lines outside
--- of fences. Their starts are extmarks, so what the user or the machine writes moves them along,
--- and a change costs no more than the chunk it falls into.
local M = {}

local markdown = require("codex-chat.markdown")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.chunks")

---@param buf integer
---@param row integer
---@return integer? mark
---@return integer start of the chunk that holds `row`
local function chunk_at(buf, row)
  -- Asked for the nearest one backwards, Neovim collects all marks from the buffer's start.
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

--- Cuts the rows from `first` to before `stop` anew, which both begin chunks.
---@param buf integer
---@param first integer
---@param stop integer
local function cut(buf, first, stop)
  api.nvim_buf_clear_namespace(buf, ns, first, stop)
  api.nvim_buf_set_extmark(buf, ns, first, 0, {})
  local lines = api.nvim_buf_get_lines(buf, first, stop, false)
  local fence
  for i, line in ipairs(lines) do
    fence = markdown.step(fence, line)
    if not fence and line == "" and i < #lines and lines[i + 1] ~= "" then
      api.nvim_buf_set_extmark(buf, ns, first + i, 0, {})
    end
  end
end

--- Cuts the whole buffer.
---@param buf integer
function M.cut_all(buf)
  cut(buf, 0, api.nvim_buf_line_count(buf))
end

--- Cuts what a change has touched. Its chunks are new ones afterwards.
---@param buf integer
---@param first integer the changed rows
---@param stop integer end of the changed rows as they are now
---@return integer first
---@return integer stop of what was cut
function M.update(buf, first, stop)
  local count = api.nvim_buf_line_count(buf)
  -- The blank line above decides where a chunk begins.
  local _, start = chunk_at(buf, math.max(0, math.min(first, count - 1) - 1))
  local finish = next_start(buf, math.min(math.max(first, stop - 1), count - 1))
  cut(buf, start, finish)
  return start, finish
end

--- The chunks that have rows between `first` and `last`: marks with their rows, ends exclusive.
---@param buf integer
---@param first integer
---@param last integer
---@return { mark: integer, first: integer, stop: integer }[]
function M.between(buf, first, last)
  local _, start = chunk_at(buf, first)
  local marks = api.nvim_buf_get_extmarks(buf, ns, { start, 0 }, { last, -1 }, {})
  local found = {}
  for i, mark in ipairs(marks) do
    local stop = marks[i + 1] and marks[i + 1][2] or next_start(buf, mark[2])
    if stop > mark[2] then
      found[#found + 1] = { mark = mark[1], first = mark[2], stop = stop }
    end
  end
  return found
end

--- Forgets all chunks.
---@param buf integer
function M.clear(buf)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
end

return M
