--- Queries that wait: they stand in the buffer, and may be edited or deleted there until they are
--- sent.
local M = {}

local blocks = require("codex-chat.buffer.blocks")

--- What stands there of a query. What the user has added below its last line belongs to it.
---@param chat codex-chat.Chat
---@param id string
---@return string[]? lines of the block; empty where they were deleted; nil where there is no block
local function lines_of(chat, id)
  local first, stop = blocks.range(chat, id)
  if not first or not stop then
    return nil
  end
  local block, last = chat.blocks[id], stop
  if block.told and stop > first then
    local below = vim.api.nvim_buf_get_lines(chat.buf, stop, blocks.next_row(chat, stop), false)
    for n, line in ipairs(below) do
      last = line:find("%S") and stop + n or last
    end
    if last > stop then
      blocks.set_range(chat, id, first, last, block.gap)
    end
  end
  return blocks.text(chat, id, last)
end

--- Whether a query that waits ends directly above this row, so that a line added there is its.
---@param chat codex-chat.Chat
---@param row integer
---@return boolean
function M.ends_at(chat, row)
  for id, block in pairs(chat.blocks) do
    if block.waits and select(2, blocks.range(chat, id)) == row then
      return true
    end
  end
  return false
end

--- What was typed of a query's block: without its heading and the line about what went along.
---@param lines string[]
---@return string
local function typed(lines)
  local kept = vim.list_slice(lines)
  local format = require("codex-chat.buffer.format")
  if format.is_prompt(kept[1]) then
    table.remove(kept, 1)
  end
  local text = vim.trim(table.concat(kept, "\n"))
  return format.without_context(text)
end

--- Notes what stands in the block now: it is what the host has been told.
---@param chat codex-chat.Chat
---@param id string
function M.remember(chat, id)
  local block = chat.blocks[id]
  local lines = block and lines_of(chat, id)
  if lines then
    block.told = typed(lines)
  end
end

--- Which of these queries are not any more what the host was told.
---@param chat codex-chat.Chat
---@param ids string[]
---@return { id: string, text?: string }[] without a text: the query was deleted
function M.changes(chat, ids)
  local found = {}
  for _, id in ipairs(ids) do
    local block = chat.blocks[id]
    local lines = block and block.told and lines_of(chat, id)
    local text = lines and typed(lines)
    if text and text ~= block.told then
      found[#found + 1] = { id = id, text = text ~= "" and text or nil }
      block.told = text
    end
  end
  return found
end

--- Whether a query waits for the next turn, as the user wanted.
---@param chat codex-chat.Chat
---@param id string
---@param waits boolean
function M.set_waiting(chat, id, waits)
  local block = chat.blocks[id]
  if block then
    block.waits = waits or nil
  end
end

--- Row at which a query goes into the text that is for the turn which runs: above those that wait for
--- the next one, so that the text keeps the order in which Codex has them; else the prompt's.
---@param chat codex-chat.Chat
---@return integer
function M.row(chat)
  local edge = blocks.prompt_row(chat)
  local is_idle = chat.state.phase == "idle" or chat.state.phase == "failed"
  if is_idle and not chat.sending then
    return edge
  end
  local ranges = {}
  for id, block in pairs(chat.blocks) do
    local first, stop = nil, nil
    if block.waits then
      first, stop = blocks.range(chat, id)
    end
    if first and stop and first < stop then
      ranges[#ranges + 1] = { first, stop }
    end
  end
  table.sort(ranges, function(a, b)
    return a[1] > b[1]
  end)
  for _, range in ipairs(ranges) do
    local below = vim.api.nvim_buf_get_lines(chat.buf, range[2], edge, false)
    if table.concat(below):find("%S") then
      break
    end
    edge = range[1]
  end
  return edge
end

return M
