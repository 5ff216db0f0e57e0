--- Queries that wait: they stand in the buffer, and may be edited or deleted there until they are
--- sent.
local M = {}

local blocks = require("codex-chat.blocks")

---@param chat codex-chat.Chat
---@param id string
---@return string[]? lines of the block; empty where they were deleted; nil where there is no block
local function lines_of(chat, id)
  local first, stop = blocks.range(chat, id)
  if not first then
    return nil
  end
  return vim.api.nvim_buf_get_lines(chat.buf, first, stop, false)
end

--- What was typed of a query's block: without its heading and the line about what went along.
---@param lines string[]
---@return string
local function typed(lines)
  local kept = vim.list_slice(lines)
  if (kept[1] or ""):match("^## You%s*$") then
    table.remove(kept, 1)
  end
  local text = vim.trim(table.concat(kept, "\n"))
  return (text:gsub("\n+> %*%*Context:%*%* [^\n]*$", ""))
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

return M
