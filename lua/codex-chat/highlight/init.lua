--- Highlighting whose cost does not depend on the conversation's length.
---
--- No highlighter runs on the buffer. Text that comes into view is highlighted once, a chunk at a
--- time, by a parser on that chunk's text alone; see docs/decisions/0006-highlight-by-chunk.md.
local M = {}

local chunks = require("codex-chat.highlight.chunks")
local paint = require("codex-chat.highlight.paint")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.highlight")

--- The time for highlighting in one tick, in ms.
local slice_ms = 5
--- A longer chunk is not highlighted at every frame while it grows.
local calm_lines, calm_ms = 60, 250
--- How long a change may wait, in ms: a streaming paragraph is parsed ten times a second.
local change_ms = 100
--- Rows above and below the window that are highlighted ahead of scrolling.
local margin = 20

---@class (exact) codex-chat.HighlightState
---@field done table<integer, true> highlighted chunks
---@field painted_at integer when a long chunk was last highlighted, ns
---@field scheduled boolean
---@field timer uv.uv_timer_t?

---@type table<integer, codex-chat.HighlightState>
local states = {}

---@param buf integer
---@param chunk codex-chat.Chunk
local function do_chunk(buf, chunk)
  api.nvim_buf_clear_namespace(buf, ns, chunk.first, chunk.stop)
  local lines = api.nvim_buf_get_lines(buf, chunk.first, chunk.stop, false)
  paint.markdown(buf, ns, chunk.first, lines, chunk.fence)
  paint.own(buf, ns, chunk.first, lines, chunk.fence)
end

--- The visible rows, with a margin.
---@param buf integer
---@return integer[][]
local function views(buf)
  local found = {}
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local first, last = vim.fn.line("w0", win) - 1, vim.fn.line("w$", win) - 1
    found[#found + 1] = { math.max(0, first - margin), last + margin }
  end
  return found
end

---@param buf integer
---@param state codex-chat.HighlightState
---@return boolean more whether some chunks were left for later
local function work(buf, state)
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  for _, view in ipairs(views(buf)) do
    for _, chunk in ipairs(chunks.between(buf, view[1], view[2])) do
      if not state.done[chunk.mark] then
        local now = vim.uv.hrtime()
        local long = chunk.stop - chunk.first > calm_lines
        if long and now - state.painted_at < calm_ms * 1e6 then
          M.later(buf, calm_ms)
        else
          state.done[chunk.mark] = true
          state.painted_at = long and now or state.painted_at
          do_chunk(buf, chunk)
          if vim.uv.hrtime() > stop then
            return true
          end
        end
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
  end
  end_other(buf)
  if work(buf, state) then
    M.soon(buf)
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
  vim.schedule(function()
    if states[buf] then
      states[buf].scheduled = false
      M.refresh(buf)
    end
  end)
end

--- Refreshes after a while.
---@param buf integer
---@param ms integer
function M.later(buf, ms)
  local state = states[buf]
  if not state or (state.timer and state.timer:is_active()) then
    return
  end
  state.timer = state.timer or assert(vim.uv.new_timer())
  state.timer:start(
    ms,
    0,
    vim.schedule_wrap(function()
      M.refresh(buf)
    end)
  )
end

--- Starts to highlight the buffer, from scratch.
---@param buf integer
function M.attach(buf)
  local known = states[buf] ~= nil
  local old = states[buf]
  states[buf] = { done = {}, painted_at = 0, scheduled = false, timer = old and old.timer }
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  chunks.cut_all(buf)
  M.soon(buf)
  if known then
    return
  end
  api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, _, new_last)
      if not states[buf] then
        return true
      end
      chunks.update(buf, first, new_last)
      M.later(buf, change_ms)
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

--- Defines the highlight groups, as links that colour schemes and users may override.
function M.setup()
  paint.define()
  api.nvim_create_autocmd("ColorScheme", {
    group = api.nvim_create_augroup("codex-chat.colors", {}),
    callback = paint.define,
  })
end

return M
