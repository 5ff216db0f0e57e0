--- The rows of the user's changes and of the prompt's heading, through all later writes.
---
--- A change keeps its row of the moment, adjusted for later writes of the machine: such a write is traced
--- back through the later changes, newest first, and shifts those below it. Extmarks would not do: they
--- collapse when a later change deletes their lines. The heading's row is followed in the same way.
local M = {}

local api = vim.api

--- Has the heading's row follow a change.
---@param state codex-chat.UndoState
---@param first integer
---@param old integer how many lines went
---@param new integer how many came
function M.follow(state, first, old, new)
  local row = state.heading
  if not row or first > row then
    return
  end
  if first == row and old == 0 and state.broken then
    -- The heading's place is empty: the new text is the user's, and goes below it.
    return
  end
  if first + old <= row then
    state.heading = row + new - old
  else
    state.broken = api.nvim_get_mode().mode:find("^[iR]") and "typed" or state.broken or "changed"
    state.heading = first + math.min(row - first, new)
  end
end

--- Whether the change deleted lines of this block: additions to the block then belong below them.
---@param change codex-chat.Change
---@param id string?
---@return boolean
local function took(change, id)
  for _, part in ipairs(#change.new == 0 and change.blocks or {}) do
    if part.id == id then
      return true
    end
  end
  return false
end

--- Adjusts the rows of all changes for a write of the machine, by which the lines from `first` to before
--- `last` became `delta` more.
---@param state codex-chat.UndoState
---@param first integer
---@param last integer
---@param delta integer
---@param id? string the block that is added to
function M.shift(state, first, last, delta, id)
  if delta == 0 then
    return
  end
  local above, below = first, last
  for g = #state.done, 1, -1 do
    for c = #state.done[g], 1, -1 do
      local change = state.done[g][c]
      if below < change.row or below == change.row and not took(change, id) then
        change.row = change.row + delta
      elseif above >= change.row + #change.new then
        above, below = above + #change.old - #change.new, below + #change.old - #change.new
      else
        -- The machine wrote into the user's lines: undo will find another text, and refuse.
        above, below = change.row, change.row
      end
    end
  end
  above, below = first, last
  for g = #state.undone, 1, -1 do
    for _, change in ipairs(state.undone[g]) do
      if below <= change.row then
        change.row = change.row + delta
      elseif above >= change.row + #change.old then
        above, below = above + #change.new - #change.old, below + #change.new - #change.old
      else
        above, below = change.row, change.row
      end
    end
  end
end

--- Whether all lines from `first` to before `stop` are blank.
---@param lines string[]
---@param first integer 0-based
---@param stop integer
---@return boolean
local function are_blank(lines, first, stop)
  for row = first, stop - 1 do
    if lines[row + 1]:find("%S") then
      return false
    end
  end
  return true
end

--- Notes text that the user writes between the conversation's last line and the heading, as with `O` or
--- `P` on the heading, or `o` on that last line: it belongs to no block, and would not be sent from there.
---@param state codex-chat.UndoState with the lines of before
---@param first integer
---@param old string[]
---@param new string[]
function M.note_above(state, first, old, new)
  local row, above = state.heading, state.above or 0
  if not row or state.broken then
    return
  end
  local top, stop = row - above, first + #old
  if stop > row then
    above = math.min(above, math.max(0, row - first))
  elseif first >= top then
    above = above + #new - #old
  elseif stop > top then
    above = row - stop
  elseif
    not are_blank(new, 0, #new)
    and are_blank(old, 0, #old)
    and are_blank(state.lines, stop, top)
  then
    above = row + #new - #old - first
  end
  state.above = above > 0 and above or nil
end

return M
