--- Undo of what the user typed, and of nothing else.
---
--- Vim's own undo cannot leave out the machine's writes; it is switched off in a chat ('undolevels'
--- is -1 there). Here every change of the user's is kept with its row and the lines before and after
--- it. Rows are those of the moment of the change, with the machine's writes since then worked in:
--- such a write is taken back through the later changes, newest first, and shifts those below it.
--- Extmarks would not do: they collapse when a later change deletes their lines.
local M = {}

local say = require("codex-chat.say")

local api = vim.api

--- The most that is remembered in one buffer; what is older goes first.
local max_groups, max_bytes = 1000, 4 * 1024 * 1024

---@class (exact) codex-chat.Change one change: at the row, `old` became `new`
---@field row integer 0-based
---@field old string[]
---@field new string[]

---@class (exact) codex-chat.UndoState
---@field lines string[] the buffer as it was after the last change
---@field done codex-chat.Change[][] groups that `u` takes back
---@field undone codex-chat.Change[][] groups that <C-r> brings again
---@field open boolean whether the last group still grows
---@field machine integer depth of machine writes
---@field travelling boolean whether a group is being taken back or brought again
---@field bytes integer

---@type table<integer, codex-chat.UndoState>
local states = {}
---@type table<integer, codex-chat.UndoState> of buffers that were just unloaded
local parted = {}

---@param lines string[]
---@return integer
local function size(lines)
  local sum = 0
  for _, line in ipairs(lines) do
    sum = sum + #line + 1
  end
  return sum
end

--- Works a write of the machine's into the rows of all changes: the lines from `first` to before
--- `last` became `delta` more.
---@param state codex-chat.UndoState
---@param first integer
---@param last integer
---@param delta integer
local function shift(state, first, last, delta)
  if delta == 0 then
    return
  end
  local above, below = first, last
  for g = #state.done, 1, -1 do
    for c = #state.done[g], 1, -1 do
      local change = state.done[g][c]
      if below <= change.row then
        change.row = change.row + delta
      elseif above >= change.row + #change.new then
        above, below = above + #change.old - #change.new, below + #change.old - #change.new
      else
        -- The machine wrote into the user's lines: taking back will find another text, and refuse.
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

---@param state codex-chat.UndoState
---@param first integer
---@param last integer
---@param lines string[]
local function shadow(state, first, last, lines)
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

--- Counts a group out of what is remembered.
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
local function keep(state, first, old, new)
  for _, undone in ipairs(state.undone) do
    forget(state, undone)
  end
  state.undone = {}
  if not state.open or #state.done == 0 then
    state.done[#state.done + 1] = {}
    state.open = true
  end
  local group = state.done[#state.done]
  local previous = group[#group]
  local is_same = previous and #previous.new == 1 and #old == 1 and previous.new[1] == old[1]
  if is_same and #new == 1 and previous.row == first then
    -- Typing on in one line is one change.
    state.bytes = state.bytes - size(previous.new) + size(new)
    previous.new = new
    return
  end
  if is_same and #new == 0 and previous.row + 1 == first and #previous.old == 1 then
    -- Joined to an empty line above it, a line stays and the empty one goes.
    state.bytes = state.bytes - size(previous.new)
    previous.new = {}
    return
  end
  group[#group + 1] = { row = first, old = old, new = new }
  state.bytes = state.bytes + size(old) + size(new)
  while #state.done > 1 and (#state.done > max_groups or state.bytes > max_bytes) do
    forget(state, table.remove(state.done, 1))
  end
end

--- Records a change of the user's in its smallest parts, so that what the machine writes between two
--- of them later is in neither: line by line, and below them what is left of the old lines as gone,
--- as after two lines were joined.
---@param state codex-chat.UndoState
---@param first integer
---@param old string[]
---@param new string[]
local function record(state, first, old, new)
  while #old > 0 and #new > 0 and #old ~= #new and old[1] == new[1] do
    table.remove(old, 1)
    table.remove(new, 1)
    first = first + 1
  end
  while #old > 0 and #new > 0 and #old ~= #new and old[#old] == new[#new] do
    old[#old], new[#new] = nil, nil
  end
  if #old < #new then
    keep(state, first, old, new)
    return
  end
  if #old > #new then
    keep(state, first + #new, vim.list_slice(old, #new + 1), {})
  end
  for i = 1, #new do
    if old[i] ~= new[i] then
      keep(state, first + i - 1, { old[i] }, { new[i] })
    end
  end
end

--- Ends the last group. What was typed and came out as it had been is no change: one that is kept
--- would make a key do nothing.
---@param buf integer
local function close_group(buf)
  local state = states[buf]
  if not state or not state.open then
    return
  end
  state.open = false
  local group = state.done[#state.done]
  for c = #group, 1, -1 do
    if vim.deep_equal(group[c].old, group[c].new) then
      forget(state, { table.remove(group, c) })
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
    api.nvim_buf_set_text(buf, first, 0, first, #from[1], to)
  else
    api.nvim_buf_set_lines(buf, first, first + #from, false, to)
  end
end

--- Takes back or repeats one group. Nothing changes where any part of it is no longer as it was.
---@param buf integer
---@param group codex-chat.Change[]
---@param back boolean
---@return integer? row of the change, or nil
local function travel(buf, group, back)
  local row
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
    swap(buf, change.row, from, to)
    applied[#applied + 1] = { row = change.row, from = from, to = to }
    row = change.row
  end
  return row
end

---@param buf integer
---@param count integer
---@param back boolean
local function go(buf, count, back)
  local state = states[buf]
  if not state then
    return
  end
  close_group(buf)
  for _ = 1, math.max(1, count) do
    local from = back and state.done or state.undone
    local group = from[#from]
    if not group then
      say.echo(back and "Already at oldest change" or "Already at newest change")
      return
    end
    local row
    M.machine(buf, function()
      state.travelling = true
      row = travel(buf, group, back)
      state.travelling = false
    end)
    vim.bo[buf].modified = false
    if not row then
      say.warn("this cannot be taken back, because the text there has changed since.")
      return
    end
    table.remove(from)
    table.insert(back and state.undone or state.done, group)
    local last = api.nvim_buf_line_count(buf)
    for _, win in ipairs({ api.nvim_get_current_win() }) do
      if api.nvim_win_get_buf(win) == buf then
        api.nvim_win_set_cursor(win, { math.min(row + 1, last), 0 })
      end
    end
  end
end

--- Begins to follow the buffer, with nothing to take back.
---@param buf integer
function M.attach(buf)
  local follows = states[buf] ~= nil
  states[buf] = {
    lines = api.nvim_buf_get_lines(buf, 0, -1, false),
    done = {},
    undone = {},
    open = false,
    machine = 0,
    travelling = false,
    bytes = 0,
  }
  vim.bo[buf].undolevels = -1
  for key, back in pairs({ u = true, ["<C-r>"] = false }) do
    vim.keymap.set("n", key, function()
      go(buf, vim.v.count1, back)
    end, { buffer = buf, desc = back and "Undo what you typed" or "Redo what you typed" })
  end
  -- Not at InsertEnter: what `o`, `c` and their like did before it is one with what is typed.
  api.nvim_create_autocmd({ "InsertLeave", "TextChanged" }, {
    group = api.nvim_create_augroup("codex-chat.undo." .. buf, {}),
    buffer = buf,
    callback = function()
      close_group(buf)
    end,
  })
  if follows then
    return
  end
  api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, tick, first, last, new_last)
      local state = states[buf]
      if not state then
        return true
      end
      local new = api.nvim_buf_get_lines(buf, first, new_last, false)
      -- Without a tick it is a preview of a command that is still being typed.
      if state.machine > 0 then
        if not state.travelling then
          shift(state, first, last, new_last - last)
        end
      elseif tick then
        record(state, first, vim.list_slice(state.lines, first + 1, last), vim.list_slice(new))
      end
      shadow(state, first, last, new)
    end,
    on_detach = function()
      -- An unload begins with this, before any autocommand.
      parted[buf] = states[buf]
      states[buf] = nil
    end,
    on_reload = function()
      M.attach(buf)
    end,
  })
end

--- Stops following.
---@param buf integer
function M.detach(buf)
  states[buf] = nil
  pcall(api.nvim_del_augroup_by_name, "codex-chat.undo." .. buf)
end

--- Runs `fn`, whose changes of the buffer are the machine's and never taken back.
---@param buf integer
---@param fn fun()
function M.machine(buf, fn)
  local state = states[buf]
  if not state then
    fn()
    return
  end
  state.machine = state.machine + 1
  local ok, err = pcall(fn)
  state.machine = state.machine - 1
  if not ok then
    error(err, 0)
  end
end

--- Forgets everything: what was sent is no longer typing.
---@param buf integer
function M.clear(buf)
  local state = states[buf]
  if state then
    state.done, state.undone, state.open, state.bytes = {}, {}, false, 0
  end
end

--- What there is to take back, for text that is about to be read anew as it stands.
---@param buf integer
---@return codex-chat.UndoState?
function M.keep(buf)
  local kept = states[buf] or parted[buf]
  parted[buf] = nil
  return kept
end

---@param buf integer
---@param kept codex-chat.UndoState?
function M.restore(buf, kept)
  states[buf] = kept or states[buf]
end

--- Takes back `count` groups of changes.
---@param buf integer
---@param count? integer
function M.undo(buf, count)
  go(buf, count or 1, true)
end

--- Brings back `count` groups of changes.
---@param buf integer
---@param count? integer
function M.redo(buf, count)
  go(buf, count or 1, false)
end

return M
