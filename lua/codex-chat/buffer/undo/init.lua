--- Undo of what the user typed, and of nothing else.
---
--- Vim's own undo cannot leave out the machine's writes, so it is off in a chat ('undolevels' is -1).
--- Here every change by the user is kept (`undo/steps.lua`), and `u` and <C-r> go through them.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local registry = require("codex-chat.registry")
local rows = require("codex-chat.buffer.undo.rows")
local say = require("codex-chat.message")
local spans = require("codex-chat.buffer.undo.spans")
local steps = require("codex-chat.buffer.undo.steps")

local api = vim.api

---@type table<integer, codex-chat.UndoState>
local states = {}
---@type table<integer, codex-chat.UndoState> of buffers that were just unloaded
local parted = {}

--- Called after each undo and redo with the row that the heading had then; `buffer/heading.lua` is
--- above this module and fills it in.
---@type fun(buf: integer, row: integer?)
M.on_travel = function() end

--- Called for each change by the user, undo and redo included, with rows as they are after it;
--- `buffer/pending.lua` is above this module and fills it in.
---@param buf integer
---@param first integer
---@param last integer
function M.on_change(buf, first, last) end -- luacheck: no unused args

---@param buf integer
---@param count integer
---@param back boolean
local function go(buf, count, back)
  local state = states[buf]
  if not state then
    return
  end
  steps.close(state)
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
      row = steps.travel(state, buf, group, back)
      state.travelling = false
    end)
    vim.bo[buf].modified = false
    if not row then
      say.warn("this cannot be taken back, because the text there has changed since.")
      return
    end
    M.on_travel(buf, state.heading)
    table.remove(from)
    table.insert(back and state.undone or state.done, group)
    if back then
      spans.join_late(buf, group)
    end
    local last = api.nvim_buf_line_count(buf)
    for _, win in ipairs({ api.nvim_get_current_win() }) do
      if api.nvim_win_get_buf(win) == buf then
        api.nvim_win_set_cursor(win, { math.min(row + 1, last), 0 })
      end
    end
  end
end

--- How many of the last groups changed nothing but the line that was changed last; at least one.
---@param state codex-chat.UndoState
---@return integer
local function on_one_line(state)
  steps.close(state)
  local count, row = 0, nil
  for g = #state.done, 1, -1 do
    for _, change in ipairs(state.done[g]) do
      row = row or change.row
      if change.row ~= row or #change.old ~= 1 or #change.new ~= 1 then
        return math.max(1, count)
      end
    end
    count = count + 1
  end
  return math.max(1, count)
end

--- Begins to follow the buffer, with nothing to take back.
---@param buf integer
---@param lines? string[] its text, if the caller has it and needs it no more
function M.attach(buf, lines)
  local follows = states[buf] ~= nil
  states[buf] = {
    buf = buf,
    lines = lines or api.nvim_buf_get_lines(buf, 0, -1, false),
    done = {},
    undone = {},
    open = false,
    machine = 0,
    travelling = false,
    mending = false,
    bytes = 0,
  }
  vim.bo[buf].undolevels = -1
  -- Vim's own `U` goes by a row, which may have moved since.
  vim.keymap.set("n", "U", function()
    local state = states[buf]
    if state then
      go(buf, on_one_line(state), true)
    end
  end, { buffer = buf, desc = "Undo what you typed in one line" })
  for key, back in pairs({ u = true, ["<C-r>"] = false }) do
    vim.keymap.set("n", key, function()
      go(buf, vim.v.count1, back)
    end, { buffer = buf, desc = back and "Undo what you typed" or "Redo what you typed" })
  end
  local group = api.nvim_create_augroup("codex-chat.undo." .. buf, {})
  local has_waited = false
  api.nvim_create_autocmd("SafeState", {
    group = group,
    callback = function()
      has_waited = api.nvim_get_mode().mode:find("^[iR]") ~= nil
    end,
  })
  -- Not at InsertEnter: `o`, `c` and similar commands are one step with the text that is typed. Nor if
  -- more follows at once, as for the other lines of a block, or of `:g` with `:normal`: TextChanged
  -- comes when that is done.
  api.nvim_create_autocmd({ "InsertLeave", "TextChanged" }, {
    group = group,
    buffer = buf,
    callback = function(args)
      local is_over = args.event == "TextChanged"
        or has_waited and not require("codex-chat.buffer.defer_edits").in_block()
      has_waited = false
      if states[buf] and is_over then
        steps.close(states[buf])
      end
    end,
  })
  if follows then
    return
  end
  api.nvim_buf_attach(buf, false, {
    on_bytes = function(_, _, _, row, _, _, count)
      local state = states[buf]
      if state and state.machine == 0 and count > 0 then
        -- The marks have not moved yet.
        state.gone = spans.gather(buf, state.gone, row, count)
      end
    end,
    on_lines = function(_, _, tick, first, last, new_last)
      local state = states[buf]
      if not state then
        return true
      end
      if #state.lines - last + new_last == 0 then
        -- A buffer always has a line.
        new_last = new_last + 1
      end
      local new = api.nvim_buf_get_lines(buf, first, new_last, false)
      -- A preview of a command that is still being typed comes without a tick.
      if state.machine > 0 then
        if not state.travelling then
          local chat = registry.get(buf)
          rows.shift(state, first, last, new_last - last, chat and chat.writing)
          rows.follow(state, first, last - first, new_last - first)
        end
      elseif tick then
        local old = vim.list_slice(state.lines, first + 1, last)
        local gone = state.gone
        local is_here = gone and gone.first >= first and gone.last <= last
        if is_here then
          spans.follow(buf, gone.spans, first, old, new)
        end
        local was = gone and gone.first < last and gone.last > first and gone.spans or nil
        steps.record(state, first, old, vim.list_slice(new), was)
      end
      if state.gone then
        state.gone.is_told = true
      end
      steps.shadow(state, first, last, new)
      if state.machine == 0 and tick or state.travelling then
        M.on_change(buf, first, new_last)
      end
      local row = state.heading
      if state.broken and row and row > 0 and row >= #state.lines and state.lines[row] == "" then
        -- Only the last line is left to type in.
        state.heading = row - 1
      end
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
  states[buf], parted[buf] = nil, nil
  pcall(api.nvim_del_augroup_by_name, "codex-chat.undo." .. buf)
end

--- Runs `fn` as the machine: its changes of the buffer are never undone.
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

--- Where the prompt's heading is, by a row that follows every change.
---@param buf integer
---@return integer? row
---@return "typed"|"changed"|nil broken how the user has touched it since it was last seen whole
function M.heading(buf)
  local state = states[buf]
  if state then
    return state.heading, state.broken
  end
end

--- Whether a command by the user has copied the heading since the last call.
---@param buf integer
---@return boolean
function M.take_copied(buf)
  local state = states[buf]
  local copied = state ~= nil and state.copied == true
  if copied then
    state.copied = nil
  end
  return copied
end

--- Whether the user has broken the heading, or written above it.
---@param buf integer
---@return boolean
function M.is_unsettled(buf)
  local state = states[buf]
  return state ~= nil and (state.broken or state.above or state.copied) ~= nil
end

--- How many lines the user has written directly above the heading since the last call.
---@param buf integer
---@return integer
function M.take_above(buf)
  local state = states[buf]
  local above = state and state.above or 0
  if above > 0 then
    state.above = nil
  end
  return above
end

--- Whether the user's last change has neither joined nor split lines.
---@param buf integer
---@return boolean
function M.kept_lines(buf)
  local state = states[buf]
  local group = state and state.done[#state.done] or {}
  for _, change in ipairs(group) do
    if #change.old ~= #change.new then
      return false
    end
  end
  return #group > 0
end

--- The text of this line before the user's last change of it, or nil.
---@param buf integer
---@param row integer
---@return string?
function M.before(buf, row)
  local state = states[buf]
  for _, change in ipairs(state and state.done[#state.done] or {}) do
    if change.row == row and #change.old > 0 then
      return change.old[1]
    end
  end
end

--- Notes where the prompt's heading is, after a change by the user or the machine.
---@param buf integer
---@param row integer
function M.set_heading(buf, row)
  local state = states[buf]
  if not state then
    return
  elseif state.machine > 0 then
    state.heading, state.broken = row, nil
  else
    steps.regain(state, row)
  end
end

--- Runs `fn`, whose changes of the buffer become part of the user's last step: undo and redo treat them
--- as one.
---@param buf integer
---@param fn fun()
function M.amend(buf, fn)
  local state = states[buf]
  if not state or #state.done == 0 then
    M.machine(buf, fn)
    return
  end
  local was_open = state.open
  state.open, state.mending = true, true
  local ok, err = pcall(fn)
  if ok then
    steps.simplify(state)
  end
  state.mending = false
  if not was_open then
    steps.close(state)
  end
  if not ok then
    error(err, 0)
  end
end

--- Forgets all steps: text that was sent is no longer the user's to undo.
---@param buf integer
function M.clear(buf)
  local state = states[buf]
  if state then
    state.done, state.undone, state.open, state.bytes = {}, {}, false, 0
  end
end

--- All steps, for text that is about to be read again unchanged.
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

--- Undoes `count` groups of changes.
---@param buf integer
---@param count? integer
function M.undo(buf, count)
  go(buf, count or 1, true)
end

--- Redoes `count` groups of changes.
---@param buf integer
---@param count? integer
function M.redo(buf, count)
  go(buf, count or 1, false)
end

blocks.undo = { machine = M.machine, set_heading = M.set_heading }

return M
