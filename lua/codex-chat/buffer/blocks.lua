--- The document's blocks: ranges of whole lines, held by extmarks, that the host's edits name.
---
--- A block's mark begins at its first line and moves down when something is inserted there. It ends at
--- the start of the line after its last one and stays. So lines that the user adds between two blocks
--- belong to neither, and a block whose lines were deleted is empty. Rows are 0-based, ends exclusive.
local M = {}

local badge = require("codex-chat.buffer.block_mark")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.buffer.blocks")

--- A write in a batch, for windows that must not move: rows of the buffer before it.
---@class (exact) codex-chat.Splice
---@field row integer
---@field old integer lines that went
---@field new integer lines that came

---@type codex-chat.Splice[]?
local splices

--- What the undo has to know of each write. `buffer/undo` is above this module and fills it in.
---@type { machine: fun(buf: integer, fn: fun()), set_heading: fun(buf: integer, row: integer) }
M.undo = {
  machine = function(_, fn)
    fn()
  end,
  set_heading = function() end,
}

---@param buf integer
---@param row integer
---@return string
local function line_at(buf, row)
  return api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
end

--- Puts `lines` in place of `old` lines; equal lines at either end are left untouched.
---@param buf integer
---@param row integer
---@param old integer
---@param lines string[]
local function splice(buf, row, old, lines)
  local first, last = 1, #lines
  if old > 0 then
    local before = api.nvim_buf_get_lines(buf, row, row + old, false)
    while first <= last and first <= #before and before[first] == lines[first] do
      first = first + 1
    end
    local left = #before
    while left >= first and last >= first and before[left] == lines[last] do
      left, last = left - 1, last - 1
    end
    row, old = row + first - 1, left - first + 1
    if old == 0 and last < first then
      return
    end
    lines = vim.list_slice(lines, first, last)
  end
  if old == 0 and #lines == 0 then
    return
  end
  if old == 1 and #lines >= 1 then
    -- Within a line, the columns of marks and cursors that do not change stay.
    api.nvim_buf_set_text(buf, row, 0, row, #line_at(buf, row), lines)
  else
    api.nvim_buf_set_lines(buf, row, row + old, false, lines)
  end
  if splices then
    splices[#splices + 1] = { row = row, old = old, new = #lines }
  end
end

---@class (exact) codex-chat.HeadingMark where the rest of the prompt's heading is, or where it was
---@field row integer
---@field col integer
---@field end_row integer
---@field end_col integer

--- The span of the heading's mark, without text that was inserted at either end. It is empty if the
--- heading was deleted, and other lines that were put in its place are in it. Its first place is always
--- the upper one.
---@param chat codex-chat.Chat
---@return codex-chat.HeadingMark
---@return boolean replaced whether something else was put in the heading's place
function M.heading(chat)
  local last = api.nvim_buf_line_count(chat.buf)
  local pos = api.nvim_buf_get_extmark_by_id(chat.buf, ns, chat.prompt_mark, { details = true })
  local details = pos[3] or {}
  local row, col = pos[1] or last, pos[2] or 0
  local end_row, end_col = details.end_row or row, details.end_col or col
  if end_row < row or end_row == row and end_col < col then
    return { row = end_row, col = end_col, end_row = row, end_col = col }, true
  end
  return { row = row, col = col, end_row = end_row, end_col = end_col }, false
end

--- Row of the prompt's first line.
---@param chat codex-chat.Chat
---@return integer
function M.prompt_row(chat)
  local last = api.nvim_buf_line_count(chat.buf) - 1
  return math.min(M.heading(chat).row, last)
end

--- Marks the prompt's heading.
---@param chat codex-chat.Chat
---@param row integer
function M.set_prompt(chat, row)
  local line = line_at(chat.buf, row)
  chat.prompt_mark = api.nvim_buf_set_extmark(chat.buf, ns, row, 0, {
    id = chat.prompt_mark,
    end_row = row,
    end_col = require("codex-chat.format").is_prompt(line) and #line or 0,
    right_gravity = true,
    end_right_gravity = false,
  })
  M.undo.set_heading(chat.buf, row)
end

--- Where a block is, or nil if there is none of that name.
---@param chat codex-chat.Chat
---@param id string
---@return integer? first
---@return integer? stop
---@return integer? col where in its first line it begins: not 0 if that was joined to another
---@return integer? end_col where in its last line it ends: not 0 if another was joined to that
function M.range(chat, id)
  if id == "prompt" then
    return M.prompt_row(chat), api.nvim_buf_line_count(chat.buf)
  end
  local block = chat.blocks[id]
  if not block then
    return nil
  end
  local pos = api.nvim_buf_get_extmark_by_id(chat.buf, ns, block.mark, { details = true })
  if not pos[1] then
    return nil
  end
  local details = pos[3] or {}
  local first, stop = pos[1], details.end_row or pos[1]
  -- An end inside a line: the line below was joined to the block's last one.
  if (details.end_col or 0) > 0 then
    stop = stop + 1
  end
  return first, math.max(first, stop), pos[2], details.end_col
end

--- The block's text, to the column: without lines that were joined to its first or last one.
---@param chat codex-chat.Chat
---@param id string
---@param stop integer the row to end before, if the mark ends at a line's start
---@return string[]
function M.text(chat, id, stop)
  local pos = api.nvim_buf_get_extmark_by_id(chat.buf, ns, chat.blocks[id].mark, { details = true })
  local row, col, end_row, end_col = pos[1], pos[2], pos[3].end_row, pos[3].end_col
  if end_col == 0 then
    end_row = math.max(stop, row)
  end
  if end_row < row or end_row == row and end_col <= col then
    return {}
  end
  local lines = api.nvim_buf_get_lines(chat.buf, row, end_col > 0 and end_row + 1 or end_row, false)
  if end_col > 0 and #lines > 0 then
    lines[#lines] = lines[#lines]:sub(1, end_col)
  end
  if lines[1] then
    lines[1] = lines[1]:sub(col + 1)
  end
  return lines
end

--- The row where the next block below this row, or the prompt, begins.
---@param chat codex-chat.Chat
---@param row integer
---@return integer
function M.next_row(chat, row)
  local found = M.prompt_row(chat)
  -- The next block may have been joined to the line above.
  local from = row > 0 and { row - 1, 1 } or { 0, 0 }
  -- The heading's mark is the only one without a name.
  for _, mark in ipairs(api.nvim_buf_get_extmarks(chat.buf, ns, from, -1, { limit = 2 })) do
    if chat.names[mark[1]] then
      return math.min(found, math.max(row, mark[2]))
    end
  end
  return found
end

--- Names the lines from `first` to before `stop` as block `id`.
---@param chat codex-chat.Chat
---@param id string
---@param first integer
---@param stop integer
---@param gap 0|1
function M.set_range(chat, id, first, stop, gap)
  local block = chat.blocks[id]
  local mark = api.nvim_buf_set_extmark(chat.buf, ns, first, 0, {
    id = block and block.mark or nil,
    end_row = stop,
    end_col = 0,
    right_gravity = true,
    end_right_gravity = false,
  })
  if block then
    chat.names[block.mark] = nil
  end
  chat.names[mark] = id
  block = block or { mark = mark, gap = gap }
  block.mark, block.gap = mark, gap
  chat.blocks[id] = block
end

--- The blocks that have lines between these rows.
---@param chat codex-chat.Chat
---@param first integer
---@param last integer
---@return { id: string, first: integer, stop: integer }[]
function M.within(chat, first, last)
  local found = {}
  local opts = { details = true, overlap = true }
  for _, mark in ipairs(api.nvim_buf_get_extmarks(chat.buf, ns, { first, 0 }, { last, 0 }, opts)) do
    local id = chat.names[mark[1]]
    local stop = mark[4].end_row or mark[2]
    if id and stop > mark[2] then
      found[#found + 1] = { id = id, first = mark[2], stop = stop }
    end
  end
  return found
end

--- Forgets a block; its lines stay.
---@param chat codex-chat.Chat
---@param id string
function M.forget(chat, id)
  api.nvim_buf_del_extmark(chat.buf, ns, chat.blocks[id].mark)
  chat.names[chat.blocks[id].mark] = nil
  chat.blocks[id] = nil
end

--- The end of a block's group, by the first `limit` marks below it.
---@param chat codex-chat.Chat
---@param first integer
---@param stop integer
---@param limit integer
---@return integer stop
---@return boolean more whether the group may go on
local function group_end(chat, first, stop, limit)
  local from = { first + 1, 0 }
  local marks = api.nvim_buf_get_extmarks(chat.buf, ns, from, -1, { limit = limit })
  for _, mark in ipairs(marks) do
    local name = chat.names[mark[1]]
    if
      not name
      or mark[2] > stop
      or chat.blocks[name].gap == 1
      or vim.startswith(name, "user:")
    then
      return stop, false
    end
    local _, below = M.range(chat, name)
    stop = math.max(stop, below or stop)
  end
  return stop, #marks == limit
end

--- The rows from a block to the last one that stands tight below it.
---@param chat codex-chat.Chat
---@param id string
---@return integer? first
---@return integer? stop
function M.group_range(chat, id)
  local first, stop = M.range(chat, id)
  if not first or not stop or stop == first then
    return nil
  end
  -- A few marks at first: a group has few blocks, and thousands may stand below it.
  local limit = 16
  local found, more = group_end(chat, first, stop, limit)
  while more do
    limit = limit * 8
    found, more = group_end(chat, first, stop, limit)
  end
  return first, found
end

--- Runs `fn` as the machine: its writes are no undo steps, no window moves, the buffer stays saved.
---@param chat codex-chat.Chat
---@param fn fun()
function M.machine(chat, fn)
  local buf = chat.buf
  local view = require("codex-chat.buffer.view")
  local outer = splices
  splices = {}
  -- 'nomodifiable' keeps the user from changing the text, not the conversation from going on.
  local modifiable = vim.bo[buf].modifiable
  -- Each setting of such an option redraws all status lines.
  if not modifiable then
    vim.bo[buf].modifiable = true
  end
  local held = view.hold(chat, M.prompt_row(chat))
  local ok, err
  M.undo.machine(buf, function()
    ok, err = xpcall(fn, debug.traceback)
  end)
  local done = splices
  splices = outer
  if not modifiable then
    vim.bo[buf].modifiable = false
  end
  if vim.bo[buf].modified then
    vim.bo[buf].modified = false
  end
  view.release(chat, held, done)
  if not ok then
    error(err, 0)
  end
end

--- Replaces whole lines as the machine; only inside of `M.machine`.
---@param chat codex-chat.Chat
---@param row integer
---@param old integer
---@param lines string[]
function M.splice(chat, row, old, lines)
  splice(chat.buf, row, old, lines)
end

--- Adds to the end of a line as the machine; only inside of `M.machine`.
---@param chat codex-chat.Chat
---@param row integer
---@param text string[] the first goes into the line, the others below it
function M.extend(chat, row, text)
  local col = #line_at(chat.buf, row)
  api.nvim_buf_set_text(chat.buf, row, col, row, col, text)
  if splices and #text > 1 then
    splices[#splices + 1] = { row = row + 1, old = 0, new = #text - 1 }
  end
end

---@param chat codex-chat.Chat
---@param row integer
---@return string
function M.line_at(chat, row)
  return line_at(chat.buf, row)
end

--- Where everything is, for text that is about to be read again unchanged.
---@param chat codex-chat.Chat
---@return table kept for `M.restore`
function M.keep(chat)
  local kept = { prompt = M.prompt_row(chat), blocks = {} }
  for id, block in pairs(chat.blocks) do
    local first, stop = M.range(chat, id)
    if first and stop then
      kept.blocks[id] = {
        first = first,
        stop = stop,
        gap = block.gap,
        badge = block.badge_edit,
        waits = block.waits,
      }
    end
  end
  return kept
end

--- Marks everything again where it was.
---@param chat codex-chat.Chat
---@param kept table
function M.restore(chat, kept)
  M.reset(chat)
  M.set_prompt(chat, kept.prompt)
  for id, was in pairs(kept.blocks) do
    M.set_range(chat, id, was.first, was.stop, was.gap)
    chat.blocks[id].waits = was.waits
    if was.badge and was.stop > was.first then
      chat.blocks[id].badge_edit = was.badge
      badge.put(chat, chat.blocks[id], was.first)
    end
  end
end

--- Forgets all blocks, as after another text was read.
---@param chat codex-chat.Chat
function M.reset(chat)
  if api.nvim_buf_is_valid(chat.buf) then
    api.nvim_buf_clear_namespace(chat.buf, ns, 0, -1)
    badge.reset(chat.buf)
  end
  chat.blocks, chat.names = {}, {}
  chat.prompt_mark, chat.settled = nil, nil
end

return M
