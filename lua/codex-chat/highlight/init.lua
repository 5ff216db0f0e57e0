--- Highlighting whose cost does not depend on the conversation's length.
---
--- No highlighter runs on the buffer. Text that comes into view is highlighted once, a chunk at a
--- time, by a parser on that chunk's text alone; see docs/decisions/0006-highlight-by-chunk.md.
local M = {}

local chunks = require("codex-chat.highlight.chunks")
local columns = require("codex-chat.buffer.columns")
local elements = require("codex-chat.highlight.elements")
local groups = require("codex-chat.highlight.groups")
local paint = require("codex-chat.highlight.paint")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.highlight")

--- The time for highlighting in one tick, in ms.
local slice_ms = 5
--- How often text that changes is highlighted at most, in ms: a streaming paragraph five times a second,
--- and a longer chunk less often.
local change_ms = 200
local calm_lines, calm_ms = 60, 250
--- A stream's next frame highlights what has changed, which costs no redraw of its own; without one a
--- timer does, this much later, in ms.
local frame_ms = 40
--- How long after a conversation was opened the rest of it is looked at, in ms.
local after_ms = 50
--- Rows above and below the window that are highlighted ahead of scrolling.
local margin = 20

---@class (exact) codex-chat.HighlightState
---@field done table<integer, true> highlighted chunks
---@field changed table<integer, true> chunks with changes in them since
---@field tables table<integer, true> highlighted chunks with tables, which depend on the width
---@field columns integer the width for which these were drawn
---@field seen table<integer, integer[]> by window: first and last row where only changed chunks are not
--- highlighted
---@field painted_at integer when a chunk that changes was last highlighted, ns
---@field calm_at integer when a long one was
---@field scheduled boolean
---@field timer uv.uv_timer_t?

---@type table<integer, codex-chat.HighlightState>
local states = {}
--- Whether the parsers of markdown are loaded, which takes longer than to open a window.
local is_warm = false

---@param buf integer
---@param state codex-chat.HighlightState
---@param chunk codex-chat.Chunk
local function do_chunk(buf, state, chunk)
  state.done[chunk.mark], state.changed[chunk.mark] = true, nil
  api.nvim_buf_clear_namespace(buf, ns, chunk.first, chunk.stop)
  local lines = api.nvim_buf_get_lines(buf, chunk.first, chunk.stop, false)
  paint.markdown(buf, ns, chunk.first, lines, chunk.fence)
  local has_table = elements.paint(buf, ns, chunk.first, lines, chunk.fence)
  state.tables[chunk.mark] = has_table or nil
end

--- Draws the tables again if the width is another one.
---@param buf integer
---@param state codex-chat.HighlightState
local function follow_width(buf, state)
  local width = columns.narrowest(buf, math.huge)
  if width == state.columns or width == math.huge then
    return
  end
  state.columns = width
  if next(state.tables) ~= nil then
    for mark in pairs(state.tables) do
      state.done[mark] = nil
    end
    state.tables, state.seen = {}, {}
  end
end

--- Highlights what has come into view.
---@param buf integer
---@param state codex-chat.HighlightState
---@param stop integer when the time of this tick is over, ns
---@return boolean more whether some chunks were left for later
local function paint_new(buf, state, stop)
  local last = api.nvim_buf_line_count(buf) - 1
  local seen = {}
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local top, bottom = vim.fn.line("w0", win) - 1, vim.fn.line("w$", win) - 1
    local was = state.seen[win]
    if math.max(0, top) < chunks.first_row(buf) then
      -- `cut_rest` comes back to it.
      seen[win] = nil
    elseif was and was[1] <= math.max(0, top) and was[2] >= math.min(last, bottom) then
      seen[win] = was
    else
      top, bottom = math.max(chunks.first_row(buf), top - margin), bottom + margin
      for _, chunk in ipairs(chunks.between(buf, top, bottom)) do
        if not state.done[chunk.mark] and not state.changed[chunk.mark] then
          do_chunk(buf, state, chunk)
          if vim.uv.hrtime() > stop then
            return true
          end
        end
      end
      seen[win] = { top, bottom }
    end
  end
  state.seen = seen
  return false
end

--- Whether a chunk is in rows where all is highlighted.
---@param state codex-chat.HighlightState
---@param chunk codex-chat.Chunk
---@return boolean
local function is_seen(state, chunk)
  for _, rows in pairs(state.seen) do
    if chunk.first <= rows[2] and chunk.stop > rows[1] then
      return true
    end
  end
  return false
end

--- The chunks that have changed in view, from the top. Others are highlighted when they come into view.
---@param buf integer
---@param state codex-chat.HighlightState
---@return codex-chat.Chunk[]
local function changed_in_view(buf, state)
  local found = {}
  for mark in pairs(state.changed) do
    local chunk = chunks.at(buf, mark)
    if chunk and is_seen(state, chunk) then
      found[#found + 1] = chunk
    else
      state.changed[mark] = nil
    end
  end
  table.sort(found, function(a, b)
    return a.first < b.first
  end)
  return found
end

--- Highlights what has changed in view, if it is time for that.
---@param buf integer
---@param state codex-chat.HighlightState
---@param stop integer when the time of this tick is over, ns
---@return boolean more whether some chunks were left for later
local function paint_changed(buf, state, stop)
  local now = vim.uv.hrtime()
  if next(state.changed) == nil or now - state.painted_at < change_ms * 1e6 then
    return false
  end
  state.painted_at = now
  for _, chunk in ipairs(changed_in_view(buf, state)) do
    local is_long = chunk.stop - chunk.first > calm_lines
    if not is_long or now - state.calm_at >= calm_ms * 1e6 then
      state.calm_at = is_long and now or state.calm_at
      do_chunk(buf, state, chunk)
      if vim.uv.hrtime() > stop then
        state.painted_at = 0
        return true
      end
    end
  end
  return false
end

--- Stops Neovim's own highlighter, which plugins start for every file type with a parser: the longer
--- the conversation, the more each frame of an answer would cost.
---@param buf integer
local function end_other(buf)
  local highlighter = package.loaded["vim.treesitter.highlighter"]
  if highlighter and highlighter.active[buf] then
    -- Neovim then looks for a syntax file.
    require("codex-chat.outside.runtime").without_projects(vim.bo[buf].filetype, function()
      vim.treesitter.stop(buf)
    end)
  end
end

--- Highlights the visible text, as far as the time of this tick goes.
---@param buf integer
function M.refresh(buf)
  local state = states[buf]
  if not state or not api.nvim_buf_is_loaded(buf) then
    return
  elseif not is_warm then
    M.soon(buf)
    return
  end
  end_other(buf)
  follow_width(buf, state)
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  if paint_new(buf, state, stop) or paint_changed(buf, state, stop) then
    M.soon(buf)
  elseif next(state.changed) ~= nil then
    M.later(buf)
  end
end

--- Refreshes after the present tick, once for any number of calls.
---@param buf integer
function M.soon(buf)
  local state = states[buf]
  if not state or state.scheduled then
    return
  end
  state.scheduled = true
  local later = is_warm and vim.schedule or require("codex-chat.async").drawn
  later(function()
    if states[buf] then
      is_warm, states[buf].scheduled = true, false
      M.refresh(buf)
    end
  end)
end

--- Highlights changes after a while.
---@param buf integer
function M.later(buf)
  local state = states[buf]
  if not state or (state.timer and state.timer:is_active()) then
    return
  end
  state.timer = state.timer or assert(vim.uv.new_timer())
  state.timer:start(
    change_ms + frame_ms,
    0,
    vim.schedule_wrap(function()
      M.refresh(buf)
    end)
  )
end

--- A frame was written.
---@param buf integer
function M.written(buf)
  local state = states[buf]
  if state and is_warm and paint_changed(buf, state, vim.uv.hrtime() + slice_ms * 1e6) then
    M.soon(buf)
  end
end

---@param state codex-chat.HighlightState
---@param buf integer
---@param first integer the changed rows
---@param last integer
---@param new_last integer
local function on_change(state, buf, first, last, new_last)
  local marks = chunks.update(buf, first, new_last)
  if not marks then
    state.done, state.changed, state.seen, state.tables = {}, {}, {}, {}
    M.soon(buf)
    return
  end
  for mark, is_there in pairs(marks) do
    state.done[mark], state.tables[mark] = nil, nil
    state.changed[mark] = is_there or nil
  end
  local delta = new_last - last
  for _, rows in pairs(state.seen) do
    if delta ~= 0 and first <= rows[2] then
      rows[1] = last <= rows[1] and rows[1] + delta or rows[1]
      rows[2] = math.max(rows[2] + delta, first)
    end
  end
end

--- Cuts the rows above those that were cut first, a slice at a time.
---@param buf integer
local function cut_rest(buf)
  if not states[buf] or not api.nvim_buf_is_loaded(buf) then
    return
  elseif chunks.first_row(buf) == 0 then
    M.refresh(buf)
    return
  end
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  local more
  repeat
    more = chunks.more(buf)
  until not more or vim.uv.hrtime() > stop
  vim.defer_fn(function()
    cut_rest(buf)
  end, 1)
end

--- Starts to highlight the buffer, from scratch.
---@param buf integer
---@param tail? integer a row that begins the last lines, at a blank line outside of fences: those are
--- looked at first
function M.attach(buf, tail)
  local known = states[buf] ~= nil
  local old = states[buf]
  states[buf] = {
    done = {},
    changed = {},
    seen = {},
    tables = {},
    columns = 0,
    painted_at = 0,
    calm_at = 0,
    scheduled = false,
    timer = old and old.timer,
  }
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  chunks.cut_from(buf, tail or 0)
  M.soon(buf)
  if chunks.first_row(buf) > 0 then
    vim.defer_fn(function()
      cut_rest(buf)
    end, after_ms)
  end
  if known then
    return
  end
  api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, last, new_last)
      if not states[buf] then
        return true
      end
      on_change(states[buf], buf, first, last, new_last)
      M.later(buf)
    end,
    on_reload = function()
      M.attach(buf)
    end,
    on_detach = function()
      M.detach(buf)
    end,
  })
  local group = api.nvim_create_augroup("codex-chat.highlight." .. buf, {})
  api.nvim_create_autocmd({ "BufWinEnter", "BufEnter", "CursorMoved" }, {
    group = group,
    buffer = buf,
    callback = function()
      M.soon(buf)
    end,
  })
  api.nvim_create_autocmd({ "WinScrolled", "WinResized" }, {
    group = group,
    callback = function()
      for win in pairs(vim.v.event) do
        local id = tonumber(win)
        if id and api.nvim_win_is_valid(id) and api.nvim_win_get_buf(id) == buf then
          M.refresh(buf)
          return
        end
      end
      if #vim.fn.win_findbuf(buf) > 0 then
        M.soon(buf)
      end
    end,
  })
end

--- Stops highlighting the buffer.
---@param buf integer
function M.detach(buf)
  local state = states[buf]
  states[buf] = nil
  paint.forget(buf)
  if state and state.timer then
    state.timer:stop()
    state.timer:close()
  end
  pcall(api.nvim_del_augroup_by_name, "codex-chat.highlight." .. buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, ns, 0, -1)
    chunks.clear(buf)
  end
end

--- How many chunks have been highlighted, for tests.
---@param buf integer
---@return integer
function M.count(buf)
  return vim.tbl_count(states[buf] and states[buf].done or {})
end

--- Defines the highlight groups, now and whenever the colours change.
function M.setup()
  groups.define()
  local augroup = api.nvim_create_augroup("codex-chat.colors", {})
  api.nvim_create_autocmd("ColorScheme", { group = augroup, callback = groups.define })
  api.nvim_create_autocmd("OptionSet", {
    group = augroup,
    pattern = { "background", "termguicolors" },
    callback = groups.define,
  })
end

return M
