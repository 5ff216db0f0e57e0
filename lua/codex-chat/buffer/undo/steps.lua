--- The user's changes of one buffer, as steps that can be undone and redone.
---
--- Each is kept with its row (`undo/rows.lua`) and the lines before and after it, and with where the
--- prompt's heading was before.
local M = {}

local format = require("codex-chat.format")
local rows = require("codex-chat.buffer.undo.rows")
local spans = require("codex-chat.buffer.undo.spans")

local api = vim.api

--- The most that is remembered in one buffer; the oldest goes first.
local max_groups, max_bytes = 1000, 4 * 1024 * 1024

---@class (exact) codex-chat.Change one change: at the row, `old` became `new`
---@field row integer 0-based
---@field old string[]
---@field new string[]
---@field had? integer which of the old lines was the prompt's heading, from 0
---@field has? integer which of the new lines is the prompt's heading, from 0
---@field blocks? codex-chat.Part[] which of the old lines belonged to which block

---@class (exact) codex-chat.UndoState
---@field buf integer
---@field lines string[] the buffer as it was after the last change
---@field done codex-chat.Change[][] groups that `u` undoes
---@field undone codex-chat.Change[][] groups that <C-r> redoes
---@field open boolean whether the last group still grows
---@field machine integer depth of machine writes
---@field travelling boolean whether a group is being undone or redone
---@field mending boolean whether the heading is being put back
---@field heading? integer row of the prompt's heading, or where it was when the user broke it
---@field broken? "typed"|"changed" how the user has touched the heading since it was last seen whole
---@field above? integer how many lines directly above the heading the user has written
---@field copied? boolean whether the user has put a copy of the heading somewhere since it was looked at
---@field gone? codex-chat.Gone lines that a change deletes
---@field bytes integer

---@param lines string[]
---@return integer
local function size(lines)
  local sum = 0
  for _, line in ipairs(lines) do
    sum = sum + #line + 1
  end
  return sum
end

--- Notes whether a command has copied the heading; a heading that is typed is text.
---@param state codex-chat.UndoState
---@param new string[]
local function note_copies(state, new)
  for _, line in ipairs(new) do
    if format.is_prompt(line) and not api.nvim_get_mode().mode:find("^[iR]") then
      state.copied = true
      return
    end
  end
end

--- Applies a change to the copy of the buffer's lines.
---@param state codex-chat.UndoState
---@param first integer
---@param last integer
---@param lines string[]
function M.shadow(state, first, last, lines)
  local before, delta = #state.lines, #lines - (last - first)
  if delta ~= 0 then
    table.move(state.lines, last + 1, before, last + 1 + delta)
    for i = before + delta + 1, before do
      state.lines[i] = nil
    end
  end
  for i, line in ipairs(lines) do
    state.lines[first + i] = line
  end
end

--- Takes a group out of the count of bytes.
---@param state codex-chat.UndoState
---@param group codex-chat.Change[]
local function forget(state, group)
  for _, change in ipairs(group) do
    state.bytes = state.bytes - size(change.old) - size(change.new)
  end
end

--- Adds a change to the group that grows.
---@param state codex-chat.UndoState
---@param first integer
---@param old string[]
---@param new string[]
---@param was? codex-chat.Span[] the blocks there before
local function keep(state, first, old, new, was)
  if not state.mending then
    for _, undone in ipairs(state.undone) do
      forget(state, undone)
    end
    state.undone = {}
  end
  if not state.open or #state.done == 0 then
    state.done[#state.done + 1] = {}
    state.open = true
  end
  local group = state.done[#state.done]
  local previous = group[#group]
  local row = state.heading
  if not state.mending then
    rows.note_above(state, first, old, new)
  end
  local had = row and row >= first and row < first + #old and row - first or nil
  local is_same = previous and #previous.new == 1 and #old == 1 and previous.new[1] == old[1]
  if is_same and #new == 1 and previous.row == first and previous.had == had then
    -- More typing in the same line is the same change.
    state.bytes = state.bytes - size(previous.new) + size(new)
    previous.new, previous.has = new, nil
    rows.follow(state, first, 1, 1)
    return
  end
  if
    is_same
    and #new == 0
    and previous.row + 1 == first
    and #previous.old == 1
    and not previous.had
  then
    -- A line that is joined to an empty one above it stays, and the empty one goes.
    state.bytes = state.bytes - size(previous.new)
    previous.new = {}
    rows.follow(state, previous.row, 1, 0)
    return
  end
  local parts = was and #old > #new and spans.parts(state.buf, was, first, #old) or nil
  group[#group + 1] = { row = first, old = old, new = new, had = had, blocks = parts }
  state.bytes = state.bytes + size(old) + size(new)
  rows.follow(state, first, #old, #new)
  if not state.mending then
    note_copies(state, new)
  end
  while #state.done > 1 and (#state.done > max_groups or state.bytes > max_bytes) do
    forget(state, table.remove(state.done, 1))
  end
end

--- Records a change by the user in its smallest parts, so that later writes of the machine between two of
--- them are in neither: line by line, and below them the rest of the old lines as deleted, as after two
--- lines were joined.
---@param state codex-chat.UndoState
---@param first integer
---@param old string[]
---@param new string[]
---@param was? codex-chat.Span[] the blocks in these lines before
function M.record(state, first, old, new, was)
  while #old > 0 and #new > 0 and #old ~= #new and old[1] == new[1] do
    table.remove(old, 1)
    table.remove(new, 1)
    first = first + 1
  end
  while #old > 0 and #new > 0 and #old ~= #new and old[#old] == new[#new] do
    old[#old], new[#new] = nil, nil
  end
  local above = (state.heading or first) - first
  if above > 0 and above < #old and not table.concat(new):find("%S") then
    -- Deleting conversation and prompt is two changes: text that comes in meanwhile stands between.
    keep(state, first, vim.list_slice(old, 1, above), {}, was)
    old = vim.list_slice(old, above + 1)
  end
  -- Lines that replace the heading, and those below it, all belong to the prompt.
  local is_prompt = state.heading == first and #new > 1
  if #old < #new or is_prompt and #old > #new then
    keep(state, first, old, new, was)
    return
  end
  if #old > #new then
    keep(state, first + #new, vim.list_slice(old, #new + 1), {}, was)
  end
  for i = 1, #new do
    if old[i] ~= new[i] then
      keep(state, first + i - 1, { old[i] }, { new[i] })
    end
  end
end

--- Notes that the heading is here as a result of the user's last change.
---@param state codex-chat.UndoState
---@param row integer
function M.regain(state, row)
  state.heading, state.broken = row, nil
  local group = state.done[#state.done] or {}
  for c = #group, 1, -1 do
    local change = group[c]
    local below = change.row + #change.new
    if row >= change.row and row < below then
      change.has = row - change.row
      return
    elseif row >= below then
      row = row + #change.old - #change.new
    end
  end
end

--- The effect of a group on the lines around it, if it is small enough for that.
---@param state codex-chat.UndoState
---@param group codex-chat.Change[]
---@return integer? first
---@return string[] before
---@return string[] after
---@return integer? heading its row before
local function effect(state, group)
  local low, high ---@type integer?, integer?
  for _, change in ipairs(group) do
    local stop = change.row + #change.old
    low, high = math.min(low or change.row, change.row), math.max(high or stop, stop)
    high = high + #change.new - #change.old
  end
  if not low or not high or #group * (high - low + 1) > 100000 then
    return nil, {}, {}, nil
  end
  local after = vim.list_slice(state.lines, low + 1, high)
  local before, heading = after, state.heading
  for c = #group, 1, -1 do
    local change = group[c]
    local at = change.row - low
    local lines = vim.list_extend(vim.list_slice(before, 1, at), change.old)
    before = vim.list_extend(lines, before, at + #change.new + 1)
    if change.had then
      heading = change.row + change.had
    elseif heading and heading >= change.row + #change.new then
      heading = heading + #change.old - #change.new
    end
  end
  return low, before, after, heading
end

--- Reduces the last group to its effect: the heading that a change had broken was put back since.
---@param state codex-chat.UndoState
function M.simplify(state)
  local group = state.done[#state.done]
  local first, before, after, heading = effect(state, group)
  for _, change in ipairs(group) do
    first = not change.blocks and first or nil
  end
  if not first then
    return
  end
  local now = state.heading
  forget(state, group)
  state.done[#state.done], state.open, state.heading = {}, true, heading
  M.record(state, first, before, after)
  if now then
    M.regain(state, now)
  end
end

--- Ends the last group. Typing that left everything as it was is dropped: with it kept, `u` would seem to
--- do nothing.
---@param state codex-chat.UndoState
function M.close(state)
  if not state.open then
    return
  end
  state.open = false
  local group = state.done[#state.done]
  local first, before, after = effect(state, group)
  if vim.deep_equal(before, after) then
    for c = #group, 1, -1 do
      if first or vim.deep_equal(group[c].old, group[c].new) then
        forget(state, { table.remove(group, c) })
      end
    end
  end
  if #group == 0 then
    table.remove(state.done)
  end
end

---@param buf integer
---@param first integer
---@param from string[]
---@param to string[]
local function swap(buf, first, from, to)
  if #from == 1 and #to == 1 then
    -- Only the part that differs: marks in the rest stay.
    local old, new = from[1], to[1]
    local least, head, tail = math.min(#old, #new), 0, 0
    while head < least and old:byte(head + 1) == new:byte(head + 1) do
      head = head + 1
    end
    while tail < least - head and old:byte(#old - tail) == new:byte(#new - tail) do
      tail = tail + 1
    end
    local text = { new:sub(head + 1, #new - tail) }
    api.nvim_buf_set_text(buf, first, head, first, #old - tail, text)
  else
    api.nvim_buf_set_lines(buf, first, first + #from, false, to)
  end
end

--- Undoes or redoes one group. Nothing changes if any part of it is no longer as it was.
---@param state codex-chat.UndoState
---@param buf integer
---@param group codex-chat.Change[]
---@param back boolean
---@return integer? row of the change, or nil
function M.travel(state, buf, group, back)
  local row
  local heading = state.heading
  local applied = {}
  for n = 1, #group do
    local change = group[back and #group + 1 - n or n]
    local from, to = change.new, change.old
    if not back then
      from, to = to, from
    end
    local there = api.nvim_buf_get_lines(buf, change.row, change.row + #from, false)
    if not vim.deep_equal(there, from) then
      for m = #applied, 1, -1 do
        swap(buf, applied[m].row, applied[m].to, applied[m].from)
      end
      return nil
    end
    local was = #from > 0 and #to > 0 and spans.within(buf, change.row, change.row + #from) or {}
    swap(buf, change.row, from, to)
    spans.follow(buf, was, change.row, from, to)
    if back and change.blocks then
      spans.give_back(buf, change.blocks, change.row)
    end
    applied[#applied + 1] = { row = change.row, from = from, to = to }
    row = change.row
    local at = back and change.had or not back and change.has or nil
    if at then
      heading = row + at
    elseif heading and heading >= row + #from then
      heading = heading + #to - #from
    elseif heading and heading >= row then
      heading = row + math.min(heading - row, #to)
    end
  end
  state.heading, state.broken, state.above = heading, nil, nil
  return row
end

return M
