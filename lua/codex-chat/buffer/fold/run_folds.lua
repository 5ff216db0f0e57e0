--- The folds of runs in a window.
local M = {}

local made_folds = require("codex-chat.buffer.fold.made")
local runs = require("codex-chat.buffer.fold.runs")

local api = vim.api

--- How long one tick may make folds, in ms.
local slice_ms = 5

--- Makes the folds of the calls in these rows, which lie within the run's, in the current window.
---@alias codex-chat.MakeInside fun(win: integer, buf: integer, first: integer, last: integer, is_new?: boolean): integer

---@type codex-chat.MadeFolds
local made = {}

---@param win integer
---@return integer rows on the screen from the window's top to the cursor's line
local function rows_above(win)
  local top, line = vim.fn.line("w0"), vim.fn.line(".")
  if line <= top then
    return 0
  end
  return api.nvim_win_text_height(win, { start_row = top - 1, end_row = line - 2 }).all
end

--- Keeps the line of the cursor where it was on the screen.
---@param win integer the current one
---@param above integer rows above it before
local function hold(win, above)
  local missing = above - rows_above(win)
  local top = vim.fn.line("w0")
  while missing > 0 and top > 1 do
    local closed = vim.fn.foldclosed(top - 1)
    local start = closed > 0 and closed or top - 1
    missing = missing
      - api.nvim_win_text_height(win, { start_row = start - 1, end_row = top - 2 }).all
    top = missing >= 0 and start or top
  end
  if top ~= vim.fn.line("w0") then
    vim.fn.winrestview({ topline = top, topfill = 0, skipcol = 0 })
  end
end

--- Makes the fold of a run in the current window. A user who reads in it finds it open.
---@param first integer
---@param last integer
---@param inner integer how many folds begin at its first row within it
---@param was_last? integer the last row that it had; nil where it is new
local function make(first, last, inner, was_last)
  local lnum = first + 1
  local cursor = vim.fn.line(".")
  local is_open = cursor > first and cursor <= last + 1
  local opened = 0
  if was_last then
    local closed = vim.fn.foldclosed(lnum)
    if vim.fn.foldlevel(lnum) ~= inner + 1 or (closed > 0 and closed ~= lnum) then
      return -- It is not there any more, or the user has made others.
    end
    is_open = closed < 0 or vim.fn.foldclosedend(lnum) - 1 < was_last
    if is_open then
      opened = closed < 0 and inner or 0
      vim.cmd(("silent! %dfoldclose!"):format(lnum))
    end
    api.nvim_win_set_cursor(0, { lnum, 0 })
    vim.cmd("silent! keepjumps normal! zd")
  end
  vim.cmd(("silent! keepjumps %d,%dfold"):format(lnum, last + 1))
  local is_closed = vim.fn.foldclosedend(lnum) > last
  if is_open then
    for _ = 1, opened + (is_closed and 1 or 0) do
      vim.cmd(("silent! %dfoldopen"):format(lnum))
    end
  elseif not is_closed then
    vim.cmd(("silent! %dfoldclose"):format(lnum))
  end
end

--- Makes folds of runs in a window, without moving its view or cursor.
---@param win integer
---@param buf integer
---@param list codex-chat.DueRun[] in any order
---@param inside codex-chat.MakeInside
---@param is_new? boolean whether the window may have the folds of the buffer's last window
function M.make(win, buf, list, inside, is_new)
  if #list == 0 or vim.wo[win].foldmethod ~= "manual" then
    return
  end
  local done = made_folds.at(made, win, buf)
  api.nvim_win_call(win, function()
    local view, above = vim.fn.winsaveview(), rows_above(win)
    for _, run in ipairs(list) do
      local first, last = runs.rows(buf, run.mark)
      local grows = done[run.mark] and run.last and run.first == first
      if first and last and last > first and (grows or not done[run.mark]) then
        local inner = inside(win, buf, first, last, is_new)
        if not (is_new and vim.fn.foldlevel(first + 1) > inner) then
          make(first, last, inner, grows and run.last or nil)
        end
      end
      done[run.mark] = true
    end
    vim.fn.winrestview(view)
    hold(win, above)
  end)
end

--- Makes some of these folds, and the others in slices.
---@param win integer
---@param buf integer
---@param list codex-chat.DueRun[] the next one is last
---@param inside codex-chat.MakeInside
local function make_rest(win, buf, list, inside)
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  while #list > 0 and vim.uv.hrtime() < stop do
    if not api.nvim_win_is_valid(win) or api.nvim_win_get_buf(win) ~= buf then
      return
    end
    M.make(win, buf, { table.remove(list) }, inside, true)
  end
  if #list > 0 then
    vim.defer_fn(function()
      make_rest(win, buf, list, inside)
    end, 1)
  end
end

--- Makes the folds of runs that a window lacks: those that it may show at once, the others later.
---@param win integer
---@param buf integer
---@param inside codex-chat.MakeInside
function M.window(win, buf, inside)
  local done, at_once, others = made_folds.at(made, win, buf), {}, {}
  local all = vim.tbl_filter(function(mark)
    return not done[mark[1]]
  end, runs.all(buf))
  local near = #all > 0 and runs.near(buf, all, win) or {}
  for _, mark in ipairs(all) do
    table.insert(near[mark[1]] and at_once or others, { mark = mark[1] })
  end
  M.make(win, buf, at_once, inside, true)
  if #others > 0 then
    require("codex-chat.async").drawn(function()
      make_rest(win, buf, others, inside)
    end)
  end
end

--- Forgets the folds of a buffer.
---@param buf integer
function M.clear(buf)
  made_folds.forget(made, buf)
end

return M
