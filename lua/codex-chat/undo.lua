--- Undo of what the user typed, and of nothing else.
---
--- Vim's own undo remembers rows, so it cannot leave out the machine's writes above them; it is
--- switched off in a chat ('undolevels' is -1 there). Here every change of the user's is kept with
--- an extmark, which moves with the text, and with the lines before and after it.
local M = {}

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.undo")

--- The most that is remembered in one buffer; what is older goes first.
local max_groups, max_bytes = 1000, 4 * 1024 * 1024

---@class (exact) codex-chat.Change one change: at the mark, `old` became `new`
---@field mark integer
---@field old string[]
---@field new string[]

---@class (exact) codex-chat.UndoState
---@field lines string[] the buffer as it was after the last change
---@field done codex-chat.Change[][] groups that `u` takes back
---@field undone codex-chat.Change[][] groups that <C-r> brings again
---@field open boolean whether the last group still grows
---@field machine integer depth of machine writes
---@field bytes integer

---@type table<integer, codex-chat.UndoState>
local states = {}

---@param lines string[]
---@return integer
local function size(lines)
  local sum = 0
  for _, line in ipairs(lines) do
    sum = sum + #line + 1
  end
  return sum
end

---@param buf integer
---@param groups codex-chat.Change[][]
local function drop(buf, groups)
  for _, group in ipairs(groups) do
    for _, change in ipairs(group) do
      pcall(api.nvim_buf_del_extmark, buf, ns, change.mark)
    end
  end
end

---@param buf integer
---@param first integer
---@param count integer
---@param id integer?
---@return integer mark over `count` whole lines
local function mark_lines(buf, first, count, id)
  local total = api.nvim_buf_line_count(buf)
  return api.nvim_buf_set_extmark(buf, ns, math.min(first, total), 0, {
    id = id,
    end_row = math.min(first + count, total),
    end_col = 0,
    strict = false,
    -- Empty ranges stay in front of what is inserted there; others keep to their lines.
    right_gravity = count > 0,
    end_right_gravity = false,
  })
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

---@param buf integer
---@param state codex-chat.UndoState
---@param first integer
---@param old string[]
---@param new string[]
local function record(buf, state, first, old, new)
  -- What did not change at either end is not part of it.
  while #old > 0 and #new > 0 and old[1] == new[1] do
    table.remove(old, 1)
    table.remove(new, 1)
    first = first + 1
  end
  while #old > 0 and #new > 0 and old[#old] == new[#new] do
    old[#old], new[#new] = nil, nil
  end
  if #old == 0 and #new == 0 then
    return
  end
  drop(buf, state.undone)
  state.undone = {}
  if not state.open or #state.done == 0 then
    state.done[#state.done + 1] = {}
    state.open = true
  end
  local group = state.done[#state.done]
  local previous = group[#group]
  if previous and #previous.new == 1 and #old == 1 and #new == 1 then
    local pos = api.nvim_buf_get_extmark_by_id(buf, ns, previous.mark, {})
    if pos[1] == first and previous.new[1] == old[1] then
      -- Typing on in one line is one change.
      previous.new = new
      mark_lines(buf, first, 1, previous.mark)
      return
    end
  end
  group[#group + 1] = { mark = mark_lines(buf, first, #new), old = old, new = new }
  state.bytes = state.bytes + size(old) + size(new)
  while #state.done > 1 and (#state.done > max_groups or state.bytes > max_bytes) do
    local oldest = table.remove(state.done, 1)
    for _, change in ipairs(oldest) do
      state.bytes = state.bytes - size(change.old) - size(change.new)
    end
    drop(buf, { oldest })
  end
end

---@param buf integer
local function close_group(buf)
  if states[buf] then
    states[buf].open = false
  end
end

--- The rows of a change's new text, or nil where the text there is another by now.
---@param buf integer
---@param change codex-chat.Change
---@param expected string[]
---@return integer? first
local function place(buf, change, expected)
  local pos = api.nvim_buf_get_extmark_by_id(buf, ns, change.mark, { details = true })
  if not pos[1] then
    return nil
  end
  local lines = api.nvim_buf_get_lines(buf, pos[1], pos[1] + #expected, false)
  if not vim.deep_equal(lines, expected) then
    return nil
  end
  return pos[1]
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
    local first = place(buf, change, from)
    if not first then
      for m = #applied, 1, -1 do
        local step = applied[m]
        swap(buf, step.first, step.to, step.from)
        mark_lines(buf, step.first, #step.from, step.mark)
      end
      return nil
    end
    swap(buf, first, from, to)
    mark_lines(buf, first, #to, change.mark)
    applied[#applied + 1] = { first = first, from = from, to = to, mark = change.mark }
    row = first
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
      vim.api.nvim_echo(
        { { back and "Already at oldest change" or "Already at newest change" } },
        false,
        {}
      )
      return
    end
    local row
    M.machine(buf, function()
      row = travel(buf, group, back)
    end)
    vim.bo[buf].modified = false
    if not row then
      vim.notify(
        "codex-chat: this cannot be taken back, because the text there has changed since.",
        vim.log.levels.WARN
      )
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
  if follows then
    drop(buf, states[buf].done)
    drop(buf, states[buf].undone)
  end
  states[buf] = {
    lines = api.nvim_buf_get_lines(buf, 0, -1, false),
    done = {},
    undone = {},
    open = false,
    machine = 0,
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
      if state.machine == 0 and tick then
        record(buf, state, first, vim.list_slice(state.lines, first + 1, last), vim.list_slice(new))
      end
      shadow(state, first, last, new)
    end,
    on_detach = function()
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
    drop(buf, state.done)
    drop(buf, state.undone)
    state.done, state.undone, state.open, state.bytes = {}, {}, false, 0
  end
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
