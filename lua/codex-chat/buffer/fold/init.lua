--- Closed folds over outputs and diffs: manual ones, made as blocks are written.
---
--- Folds belong to a window, so every fold is an extmark of the buffer as well, and a window that shows
--- the conversation later gets it then. Each is made once in a window: afterwards the user may open,
--- close or delete it.
local M = {}

local calls = require("codex-chat.buffer.calls")
local extmarks = require("codex-chat.buffer.fold.marks")
local made_folds = require("codex-chat.buffer.fold.made")
local run_folds = require("codex-chat.buffer.fold.run_folds")
local runs = require("codex-chat.buffer.fold.runs")
local shape = require("codex-chat.buffer.fold.shape")
local window = require("codex-chat.buffer.fold.window")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.folds")
--- The details of what is still asked, which are folded later.
local details_ns = api.nvim_create_namespace("codex-chat.folds.details")

--- The most lines of one call.
local max_lines = 1000
--- How long one tick may make folds, in ms: 5,000 of them take about a second in all.
local slice_ms = 5

---@type table<integer, table<integer, { [1]: integer, [2]: integer }>> by buffer and extmark: how many rows
--- the details begin below the fold's first row, and end below its last one
local details = {}
---@type table<integer, table<integer, true>> by buffer: extmarks of details of what is still asked
local asked = {}
---@type codex-chat.MadeFolds
local made = {}

---@param win integer
---@param buf integer
---@param marks integer[] the next one to make is last
---@param is_new? boolean whether the window has just got the buffer
---@param at_once? integer how many to make now; by default as many as the time of a tick allows
local function make_some(win, buf, marks, is_new, at_once)
  if not api.nvim_win_is_valid(win) or api.nvim_win_get_buf(win) ~= buf then
    return
  end
  if vim.wo[win].foldmethod ~= "manual" then
    return
  end
  local done = made_folds.at(made, win, buf)
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  api.nvim_win_call(win, function()
    local left = #marks - (at_once or #marks)
    while #marks > left and (at_once or vim.uv.hrtime() < stop) do
      local mark = table.remove(marks)
      if not done[mark] then
        done[mark] = true
        if not (is_new and window.is_inherited((extmarks.rows(buf, ns, mark)))) then
          window.make(extmarks.rows(buf, ns, mark))
        end
      end
    end
  end)
  if #marks > 0 then
    local function go_on()
      make_some(win, buf, marks, is_new)
    end
    if at_once then
      require("codex-chat.async").drawn(go_on)
    else
      vim.defer_fn(go_on, 1)
    end
  end
end

---@param buf integer
---@return integer[]
local function windows(buf)
  return vim.fn.win_findbuf(buf)
end

--- Remembers a fold, in the place of one that begins at the same row: that of a call's arguments is
--- part of that of its result.
---@param buf integer
---@param line_at codex-chat.LineAt
---@param first integer of the details
---@param last integer
---@param old? integer the fold in whose place this one is
---@return integer? mark nil where the details stay open
---@return integer? from the first row of the fold
local function remember(buf, line_at, first, last, old)
  local from, to, later = shape.of(line_at, first, last)
  if later then
    asked[buf] = asked[buf] or {}
    asked[buf][extmarks.set(buf, details_ns, first, last)] = true
  end
  if not from or not to then
    return nil
  end
  local mark = extmarks.set(buf, ns, from, to, old)
  details[buf] = details[buf] or {}
  details[buf][mark] = { first - from, last - to }
  return mark, from
end

--- The fold that begins in a row.
---@param buf integer
---@param row integer
---@return integer? mark
local function mark_in(buf, row)
  local found = api.nvim_buf_get_extmarks(buf, ns, { row, 0 }, { row, -1 }, { limit = 1 })[1]
  return found and found[1]
end

--- The rows of a fold's details.
---@param buf integer
---@param mark integer
---@return integer? first
---@return integer? last
local function details_of(buf, mark)
  local from, to = extmarks.rows(buf, ns, mark)
  local offsets = details[buf] and details[buf][mark]
  if from and to and offsets then
    return from + offsets[1], to + offsets[2]
  end
end

---@param buf integer
local function forget(buf)
  runs.clear(buf)
  run_folds.clear(buf)
  details[buf], asked[buf] = nil, nil
  made_folds.forget(made, buf)
end

--- Makes the folds of the calls in these rows, in the current window.
---@param win integer
---@param buf integer
---@param first integer
---@param last integer
---@param is_new? boolean whether the window has just got the buffer
---@return integer inner how many begin in the first row
local function make_inside(win, buf, first, last, is_new)
  local done, inner = made_folds.at(made, win, buf), 0
  for _, at in ipairs(api.nvim_buf_get_extmarks(buf, ns, { first, 0 }, { last, -1 }, {})) do
    if not done[at[1]] then
      done[at[1]] = true
      if not (is_new and window.is_inherited(at[2])) then
        window.make(extmarks.rows(buf, ns, at[1]))
      end
    end
    inner = at[2] == first and 1 or inner
  end
  return inner
end

--- Makes the folds of runs that have come up since; in the tick of a frame, after its views are settled.
---@param buf integer
function M.settle(buf)
  local list = runs.take_due(buf)
  for _, win in ipairs(#list > 0 and windows(buf) or {}) do
    run_folds.make(win, buf, list, make_inside)
  end
end

--- A block of Codex's begins in a row.
---@param buf integer
---@param row integer
function M.began(buf, row)
  -- The fold of the call above takes in the blank line.
  local line_at = shape.reader(buf)
  if not shape.hides_lines and calls.verb_of(line_at(row) or "") and line_at(row - 1) == "" then
    local from = math.max(0, row - max_lines)
    local marks = api.nvim_buf_get_extmarks(buf, ns, { from, 0 }, { row - 2, -1 }, {})
    local above = marks[#marks]
    local _, last = extmarks.rows(buf, ns, above and above[1] or 0)
    M.renew(buf, above and last == row - 2 and above[2] or row - 2)
  end
  runs.began(buf, row)
end

--- Starts again: the buffer has no folds of the plugin's.
---@param buf integer
function M.attach(buf)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  api.nvim_buf_clear_namespace(buf, details_ns, 0, -1)
  forget(buf)
  details[buf] = {}
end

--- Removes all folds in every window, for a buffer that gets another text.
---@param buf integer
function M.clear(buf)
  for _, win in ipairs(windows(buf)) do
    api.nvim_win_call(win, function()
      vim.cmd("silent! normal! zE")
    end)
  end
  M.attach(buf)
end

--- Forgets the folds of a conversation that is closed.
---@param buf integer
function M.detach(buf)
  forget(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, ns, 0, -1)
    api.nvim_buf_clear_namespace(buf, details_ns, 0, -1)
  end
end

--- Folds the details of a call or a thought in rows `first` to `last`, in every window that shows the
--- buffer, as far as `fold/shape.lua` folds them.
---@param buf integer
---@param first integer 0-based
---@param last integer inclusive
function M.add(buf, first, last)
  local mark, from = remember(buf, shape.reader(buf), first, last)
  if not mark or not from then
    return
  end
  local is_again = false
  for _, at in ipairs(api.nvim_buf_get_extmarks(buf, ns, { from, 0 }, { from, -1 }, {})) do
    if at[1] ~= mark then
      is_again = true
      api.nvim_buf_del_extmark(buf, ns, at[1])
    end
  end
  for _, win in ipairs(windows(buf)) do
    if is_again then
      api.nvim_win_call(win, function()
        window.delete_other(buf, from)
      end)
    end
    make_some(win, buf, { mark })
  end
end

--- Folds a call, or the front matter, again if other rows of it are to be folded now: a call has failed
--- meanwhile, or lines were added at the end, which Neovim does not count as the fold's. A fold that the
--- user has opened stays as it is.
---@param buf integer
---@param row integer the first one
function M.renew(buf, row)
  for mark in pairs(asked[buf] or {}) do
    local first, last = extmarks.rows(buf, details_ns, mark)
    if not first or not last or select(3, shape.of(shape.reader(buf), first, last)) == nil then
      asked[buf][mark] = nil
      api.nvim_buf_del_extmark(buf, details_ns, mark)
      if first and last then
        M.add(buf, first, last)
      end
    end
  end
  runs.ended(buf)
  local mark = mark_in(buf, row)
  local first, last
  if mark then
    first, last = details_of(buf, mark)
  elseif not shape.hides_lines and shape.is_over(shape.reader(buf)(row) or "") then
    M.add(buf, row, row)
  end
  if not mark or not first or not last then
    return
  end
  local kept = remember(buf, shape.reader(buf), first, last, mark)
  if not kept then
    api.nvim_buf_del_extmark(buf, ns, mark)
  end
  local _, to = extmarks.rows(buf, ns, mark)
  for _, win in ipairs(windows(buf)) do
    local deleted = api.nvim_win_call(win, function()
      return window.delete_other(buf, row, kept and to or nil)
    end)
    if deleted then
      made_folds.at(made, win, buf)[mark] = nil
      make_some(win, buf, { mark })
    end
  end
end

--- Makes the folds of a conversation that was read from its file.
---@param buf integer
---@param lines string[] the conversation
---@param scan codex-chat.Scan
function M.load(buf, scan, lines)
  local function line_at(row)
    return lines[row + 1]
  end
  local above, above_from
  for _, rows in ipairs(scan.folds) do
    local mark, from = remember(buf, line_at, rows[1], rows[2])
    if mark and from == above_from then
      api.nvim_buf_del_extmark(buf, ns, above)
    end
    above, above_from = mark or above, from or above_from
  end
  runs.load(buf, scan.looks, scan.tail, function()
    M.settle(buf)
  end)
  runs.take_due(buf)
  for _, win in ipairs(windows(buf)) do
    M.window(win)
  end
end

--- Makes all folds that this window lacks: those in view at once, then the rest
--- from the end backwards, a slice at a time.
---@param win integer
function M.window(win)
  local buf = api.nvim_win_get_buf(win)
  -- Neovim itself shows a buffer in a window for autocommands while it loads it.
  if not details[buf] or vim.fn.win_gettype(win) == "autocmd" then
    return
  end
  local done = made_folds.at(made, win, buf)
  local all = vim.tbl_filter(function(mark)
    return not done[mark[1]]
  end, api.nvim_buf_get_extmarks(buf, ns, 0, -1, {}))
  local near = extmarks.near(buf, ns, all, win)
  local marks, at_once = {}, {}
  for _, mark in ipairs(all) do
    table.insert(near[mark[1]] and at_once or marks, mark[1])
  end
  make_some(win, buf, vim.list_extend(marks, at_once), true, #at_once)
  run_folds.window(win, buf, make_inside)
end

--- The buffer's folds, for tests: first and last rows.
---@param buf integer
---@return integer[][]
function M.list(buf)
  return vim.tbl_map(function(mark)
    return { extmarks.rows(buf, ns, mark[1]) }
  end, api.nvim_buf_get_extmarks(buf, ns, 0, -1, {}))
end

---@param buf integer
---@param row integer of a call that is folded
---@return integer? first
---@return integer? last
local function details_at(buf, row)
  local mark = mark_in(buf, row)
  if mark then
    return details_of(buf, mark)
  end
end

--- The text of a closed fold, for 'foldtext'.
---@return table chunks text with highlights
function M.foldtext()
  return require("codex-chat.buffer.fold.text").of(details_at)
end

return M
