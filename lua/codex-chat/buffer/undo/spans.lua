--- Keeps the blocks' ranges through changes that Neovim's marks do not survive: deleted lines that come
--- back, and lines that were all rewritten, as by a filter or a formatter.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local registry = require("codex-chat.registry")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.late")

---@class (exact) codex-chat.Span a block as it was before a change
---@field id string
---@field first integer
---@field stop integer

---@class (exact) codex-chat.Part lines of a block within a change, from its row
---@field id string
---@field from integer
---@field to integer
---@field late? integer mark of what was added to the block meanwhile
---@field whole boolean whether these are all of the block's lines

---@class (exact) codex-chat.Gone lines that a command deletes, with rows as they were before it
---@field first integer
---@field last integer
---@field spans codex-chat.Span[]
---@field is_told? boolean whether the event for these lines has come

--- The blocks in these rows.
---@param buf integer
---@param first integer
---@param last integer
---@return codex-chat.Span[]
function M.within(buf, first, last)
  local chat = registry.get(buf)
  return chat and blocks.within(chat, first, last) or {}
end

--- Adds lines that are being deleted to those of the same command: `3J` deletes line after line, and the
--- event for them comes when all are gone.
---@param buf integer
---@param gone codex-chat.Gone?
---@param row integer as the lines are now
---@param count integer
---@return codex-chat.Gone
function M.gather(buf, gone, row, count)
  local found = M.within(buf, row, row + count)
  if not gone or gone.is_told or row ~= gone.first then
    return { first = row, last = row + count, spans = found }
  end
  local went = gone.last - gone.first
  local known = {}
  for _, span in ipairs(gone.spans) do
    known[span.id] = true
  end
  for _, span in ipairs(found) do
    if not known[span.id] then
      span.first = span.first > row and span.first + went or span.first
      span.stop = span.stop + went
      table.insert(gone.spans, span)
    end
  end
  gone.last = gone.last + count
  return gone
end

--- Restores the ranges of blocks in lines that were replaced, whose marks Neovim has moved to either
--- end: lines that are equal at the ends count as kept.
---@param buf integer
---@param spans codex-chat.Span[]
---@param first integer
---@param old string[]
---@param new string[]
function M.follow(buf, spans, first, old, new)
  local chat = registry.get(buf)
  if not chat or #spans == 0 or #new == 0 or #old < 2 and #new < 2 then
    return
  end
  local above, below = 0, 0
  local least = math.min(#old, #new)
  if #old == #new then
    -- Line for line.
    above, below = #old, 0
  else
    while above < least and old[above + 1] == new[above + 1] do
      above = above + 1
    end
    while below < least - above and old[#old - below] == new[#new - below] do
      below = below + 1
    end
  end
  local function moved(row)
    if row <= first + above then
      return row
    elseif row >= first + #old - below then
      return row + #new - #old
    end
    return math.min(row, first + #new - below)
  end
  for _, span in ipairs(spans) do
    local block = chat.blocks[span.id]
    if block then
      local from = moved(span.first)
      blocks.set_range(chat, span.id, from, math.max(from, moved(span.stop)), block.gap)
    end
  end
end

--- Which of the lines of a change belong to which block.
---@param buf integer
---@param spans codex-chat.Span[]
---@param row integer the change's
---@param count integer how many lines went
---@return codex-chat.Part[]?
function M.parts(buf, spans, row, count)
  local found = {}
  local chat = registry.get(buf)
  for _, span in ipairs(spans) do
    local from, to = math.max(span.first, row), math.min(span.stop, row + count)
    if from < to then
      local whole = from == span.first and to == span.stop
      found[#found + 1] = { id = span.id, from = from - row, to = to - row, whole = whole }
      local block = chat and chat.blocks[span.id]
      if block and whole then
        block.emptied = true
      end
    end
  end
  return #found > 0 and found or nil
end

--- Gives lines that are back to the blocks to which they belonged.
---@param buf integer
---@param parts codex-chat.Part[]
---@param row integer where the change's lines are
function M.give_back(buf, parts, row)
  local chat = registry.get(buf)
  for _, part in ipairs(chat and parts or {}) do
    ---@cast chat -nil
    local block = chat.blocks[part.id]
    local first, stop, col = blocks.range(chat, part.id)
    if block and first and stop then
      local from, to = row + part.from, row + part.to
      if part.whole and first < stop and (block.late or 0) > 0 then
        -- Text that came in meanwhile is moved here later: see `join_late`.
        part.late = api.nvim_buf_set_extmark(buf, ns, first, 0, { end_row = stop })
      elseif first < stop and not part.whole then
        -- A first line that was joined to another is on its own again.
        from, to = col > 0 and from or math.min(from, first), math.max(to, stop)
      end
      block.emptied = nil
      blocks.set_range(chat, part.id, from, to, block.gap)
    end
  end
end

--- Moves text that was added to a block while all its lines were deleted to the end of those lines, now
--- that they are back.
---@param buf integer
---@param group codex-chat.Change[]
function M.join_late(buf, group)
  local chat = registry.get(buf)
  for _, change in ipairs(chat and group or {}) do
    ---@cast chat -nil
    for _, part in ipairs(change.blocks or {}) do
      local mark = part.late
        and api.nvim_buf_get_extmark_by_id(buf, ns, part.late, { details = true })
      local block = chat.blocks[part.id]
      if mark and mark[1] and block then
        local from, to = mark[1], mark[3].end_row
        block.late = block.late - 1
        blocks.machine(chat, function()
          local lines = api.nvim_buf_get_lines(buf, from, to, false)
          local is_gap = blocks.line_at(chat, to) == "" and blocks.line_at(chat, from - 1) == ""
          blocks.splice(chat, from, to - from + (is_gap and 1 or 0), {})
          local first, stop = blocks.range(chat, part.id)
          ---@cast first -nil
          ---@cast stop -nil
          if block.late_is_all then
            blocks.splice(chat, first, stop - first, lines)
            stop = first + 1
          else
            blocks.extend(chat, stop - 1, lines)
          end
          blocks.set_range(chat, part.id, first, stop + #lines - 1, block.gap)
        end)
      end
      if part.late then
        api.nvim_buf_del_extmark(buf, ns, part.late)
        part.late = nil
      end
    end
  end
end

return M
