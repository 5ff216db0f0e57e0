--- A run of more than five calls that only look is folded into one line. The folds of its calls lie
--- within that fold.
---
--- While Codex goes on, the newest call stays below the fold, which takes it in when the next one begins:
--- so the lines in view are as many as before, and nothing moves.
local M = {}

local calls = require("codex-chat.buffer.calls")
local extmarks = require("codex-chat.buffer.fold.marks")
local format = require("codex-chat.format")
local look = require("codex-chat.buffer.fold.look")
local shape = require("codex-chat.buffer.fold.shape")

local api = vim.api
--- The runs that are folded.
local ns = api.nvim_create_namespace("codex-chat.folds.runs")
--- Where the first and last calls of what may be runs are in a conversation that was read, and where the
--- next one of a growing run is.
local places_ns = api.nvim_create_namespace("codex-chat.folds.runs.places")

--- The least number of calls.
local least = 6
--- The most lines of one call: outputs are shorter.
local max_lines = 1000
--- How long one tick may look at a conversation that was read, in ms.
local slice_ms = 3

--- A run that may grow.
---@class (exact) codex-chat.GrowingRun
---@field next integer extmark of the call that it may take in next
---@field first? integer extmark of its first call
---@field looks? codex-chat.Looks
---@field mark? integer extmark of its fold
---@field newest integer extmark of the newest call

---@type table<integer, codex-chat.GrowingRun?> by buffer
local growing = {}
--- A fold that has to be made or to grow.
---@class (exact) codex-chat.DueRun
---@field mark integer
---@field first? integer the rows that it has now
---@field last? integer

---@type table<integer, table<integer, codex-chat.DueRun>> by buffer and extmark
local due = {}
---@type table<integer, table<integer, codex-chat.RunLine>> by buffer and extmark
local lines_of = {}

--- What the closed fold of a run says.
---@class (exact) codex-chat.RunLine
---@field call codex-chat.Call
---@field count string

---@param buf integer
---@param mark integer
---@return integer? row
local function row_of(buf, mark)
  return api.nvim_buf_get_extmark_by_id(buf, places_ns, mark, {})[1]
end

---@param buf integer
---@param row integer
---@param mark? integer
---@return integer mark
local function place(buf, row, mark)
  return api.nvim_buf_set_extmark(buf, places_ns, row, 0, { id = mark, right_gravity = false })
end

--- What begins in a row, as far as runs go.
---@param line string
---@return "call"|"thought"|nil
local function sort_of(line)
  if line:byte(1) == 62 then -- ">"
    return line:find("^> %*%*Th[iou]+[nkght]+%*%*") and "thought" or nil
  end
  return calls.verb_of(line) and "call" or nil
end

--- The last row of a call with its details, or of a thought.
---@param line_at codex-chat.LineAt
---@param row integer
---@return integer
local function last_of(line_at, row)
  local fence
  for at = row, row + max_lines do
    local line = line_at(at)
    if not line or (not fence and line == "") then
      return at - 1
    end
    fence = format.step(fence, line)
  end
  return row + max_lines
end

--- Remembers the fold of a run; it is made by `M.settle`.
---@param buf integer
---@param first integer
---@param last integer
---@param looks codex-chat.Looks
---@param mark? integer of a run that grows
---@return integer mark
local function remember(buf, first, last, looks, mark)
  local was_first, was_last
  if mark then
    was_first, was_last = extmarks.rows(buf, ns, mark)
  end
  mark = extmarks.set(buf, ns, first, last, mark)
  lines_of[buf] = lines_of[buf] or {}
  lines_of[buf][mark] = { call = look.call(looks), count = looks.calls .. " calls" }
  due[buf] = due[buf] or {}
  due[buf][mark] = due[buf][mark] or { first = was_first, last = was_last, mark = mark }
  return mark
end

--- Takes into the run what is over, as far as the newest call.
---@param buf integer
---@param run codex-chat.GrowingRun
local function take_in(buf, run)
  local line_at = shape.reader(buf)
  local row, newest = row_of(buf, run.next), row_of(buf, run.newest)
  while row and newest and row < newest do
    local line = line_at(row) or ""
    local sort, verb, kind = sort_of(line), calls.verb_of(line)
    if sort == "thought" and line:find("^> %*%*Thinking") or verb and kind == "running" then
      break
    end
    local last = last_of(line_at, row)
    local looks = sort == "call" and look.of(line)
    if looks then
      if run.first then
        look.add(run.looks, looks)
      else
        run.first, run.looks = place(buf, row), looks
      end
      local first = row_of(buf, run.first)
      if first and run.looks.calls >= least then
        run.mark = remember(buf, first, shape.with_blank(line_at, last), run.looks, run.mark)
      end
    elseif sort ~= "thought" then
      if run.first then
        api.nvim_buf_del_extmark(buf, places_ns, run.first)
      end
      run.first, run.looks, run.mark = nil, nil, nil
    end
    row = last + 1
    while line_at(row) == "" do
      row = row + 1
    end
  end
  if row then
    place(buf, row, run.next)
  end
end

--- A block begins in a row that Codex writes: the run may take in the one above.
---@param buf integer
---@param row integer
function M.began(buf, row)
  local run = growing[buf]
  local newest = run and row_of(buf, run.newest)
  if newest and row < newest then
    return
  end
  local sort = sort_of(api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or "")
  if run then
    place(buf, row, run.newest)
    take_in(buf, run)
  elseif sort == "call" then
    growing[buf] = { next = place(buf, row), newest = place(buf, row) }
  end
  if run and not sort then
    M.stop(buf)
  end
end

--- A call is over.
---@param buf integer
function M.ended(buf)
  local run = growing[buf]
  if run then
    take_in(buf, run)
  end
end

--- The run grows no more.
---@param buf integer
function M.stop(buf)
  local run = growing[buf]
  growing[buf] = nil
  for _, mark in ipairs(run and { run.next, run.newest, run.first } or {}) do
    api.nvim_buf_del_extmark(buf, places_ns, mark)
  end
end

--- The runs in rows that may hold some.
---@param buf integer
---@param first integer
---@param last integer the row of the last call
local function find(buf, first, last)
  local lines = api.nvim_buf_get_lines(buf, first, last + max_lines, false)
  local function line_at(row)
    return lines[row - first + 1]
  end
  local row, looks = first, nil ---@type integer, codex-chat.Looks?
  local run_first, run_last = first, first
  local function finish()
    if looks and looks.calls >= least then
      remember(buf, run_first, shape.with_blank(line_at, run_last), looks)
    end
    looks = nil
  end
  while row <= last do
    local line = line_at(row) or ""
    local stop = last_of(line_at, row)
    local found = look.of(line)
    if found and looks then
      look.add(looks, found)
    elseif found then
      run_first, looks = row, found
    elseif line ~= "" and sort_of(line) ~= "thought" then
      finish()
    end
    run_last = found and stop or run_last
    row = math.max(row, stop) + 1
  end
  finish()
end

--- Looks for runs in a part of a conversation that was read, and in the rest of it in slices.
---@param buf integer
---@param marks integer[] of what may be runs, the next one is last
---@param settle fun() makes the folds
local function find_rest(buf, marks, settle)
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  while #marks > 0 and vim.uv.hrtime() < stop and api.nvim_buf_is_loaded(buf) do
    local mark = table.remove(marks)
    local first, last = extmarks.rows(buf, places_ns, mark)
    api.nvim_buf_del_extmark(buf, places_ns, mark)
    if first and last then
      find(buf, first, last)
    end
  end
  settle()
  if #marks > 0 then
    vim.defer_fn(function()
      find_rest(buf, marks, settle)
    end, 1)
  end
end

--- Finds the runs of a conversation that was read: those at its end at once.
---@param buf integer
---@param found integer[][] rows of the first and last calls of what may be runs
---@param tail integer
---@param settle fun() makes the folds
function M.load(buf, found, tail, settle)
  local marks = {}
  for _, rows in ipairs(found) do
    if rows[2] >= tail then
      find(buf, rows[1], rows[2])
    else
      marks[#marks + 1] = extmarks.set(buf, places_ns, rows[1], rows[2])
    end
  end
  if #marks > 0 then
    require("codex-chat.async").drawn(function()
      find_rest(buf, marks, settle)
    end)
  end
end

--- The runs whose folds have to be made or to grow; each is returned once.
---@param buf integer
---@return codex-chat.DueRun[]
function M.take_due(buf)
  local found = vim.tbl_values(due[buf] or {})
  due[buf] = nil
  return found
end

--- The rows of a run.
---@param buf integer
---@param mark integer
---@return integer? first
---@return integer? last
function M.rows(buf, mark)
  return extmarks.rows(buf, ns, mark)
end

--- All runs: their extmarks and first rows, from the first to the last.
---@param buf integer
---@return integer[][]
function M.all(buf)
  return next(lines_of[buf] or {}) and api.nvim_buf_get_extmarks(buf, ns, 0, -1, {}) or {}
end

--- Those of them that a window may show.
---@param buf integer
---@param all integer[][]
---@param win integer
---@return table<integer, true> by extmark
function M.near(buf, all, win)
  return extmarks.near(buf, ns, all, win)
end

--- The line of a run whose closed fold has these rows.
---@param buf integer
---@param first integer
---@param last integer
---@return codex-chat.RunLine?
function M.line(buf, first, last)
  local found = lines_of[buf]
    and api.nvim_buf_get_extmarks(buf, ns, { first, 0 }, { first, -1 }, { limit = 1 })[1]
  if not found then
    return nil
  end
  local _, run_last = extmarks.rows(buf, ns, found[1])
  return run_last and last >= run_last and lines_of[buf][found[1]] or nil
end

--- Forgets all runs of a buffer.
---@param buf integer
function M.clear(buf)
  growing[buf], due[buf], lines_of[buf] = nil, nil, nil
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, ns, 0, -1)
    api.nvim_buf_clear_namespace(buf, places_ns, 0, -1)
  end
end

return M
