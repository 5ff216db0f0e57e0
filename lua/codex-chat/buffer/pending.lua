--- Sent queries: they stand in the buffer, and may be edited or deleted there until Codex has them.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local events = require("codex-chat.events")
local registry = require("codex-chat.registry")
local undo = require("codex-chat.buffer.undo")

local api = vim.api

--- The lines of a query. Lines that the user has added below its last one belong to it.
---@param chat codex-chat.Chat
---@param id string
---@param keeps boolean whether such lines become the block's
---@return string[]? lines of the block; empty if they were deleted; nil if there is no block
local function lines_of(chat, id, keeps)
  local first, stop = blocks.range(chat, id)
  if not first or not stop then
    return nil
  end
  local last = stop
  if stop > first then
    local below = api.nvim_buf_get_lines(chat.buf, stop, blocks.next_row(chat, stop), false)
    for n, line in ipairs(below) do
      last = line:find("%S") and stop + n or last
    end
    if last > stop and keeps then
      blocks.set_range(chat, id, first, last, chat.blocks[id].gap)
    end
  end
  return blocks.text(chat, id, last)
end

--- Whether a waiting query reaches down to this row, so that a line written there belongs to it.
---@param chat codex-chat.Chat
---@param row integer
---@return boolean
function M.reaches(chat, row)
  for id, block in pairs(chat.blocks) do
    local first, stop = nil, nil
    if block.waits then
      first, stop = blocks.range(chat, id)
    end
    if first and stop and first < row and row <= stop then
      return true
    end
  end
  return false
end

--- The query in a block's lines, as it would be sent: without its heading and its context line.
---@param lines string[]
---@return string
local function typed(lines)
  local kept = vim.list_slice(lines)
  local format = require("codex-chat.format")
  if format.is_prompt(kept[1]) then
    table.remove(kept, 1)
  end
  local text = format.without_context(vim.trim(table.concat(kept, "\n")))
  -- It is no command: see prompt/slash.lua.
  return text:find("^//%a") and not text:find("\n") and text:sub(2) or text
end

--- Sends the host the text of the queries that the user has touched.
---@param chat codex-chat.Chat
local function tell(chat)
  local touched = chat.touched
  chat.touched = nil
  if not touched or registry.get(chat.buf) ~= chat or not api.nvim_buf_is_loaded(chat.buf) then
    return
  end
  local inserts = api.nvim_get_mode().mode:find("^[iR]") ~= nil
  for id in pairs(touched) do
    local lines = chat.sent
      and chat.sent[id]
      and chat.blocks[id]
      and lines_of(chat, id, not inserts and not undo.is_unsettled(chat.buf))
    if lines then
      local text = typed(lines)
      require("codex-chat.host").notify(chat, "query/edit", {
        id = id,
        text = text ~= "" and text or nil,
      })
    end
  end
  if inserts then
    -- Only when all is typed is it known which lines stay with the query.
    api.nvim_create_autocmd("InsertLeave", {
      group = chat.augroup,
      once = true,
      callback = vim.schedule_wrap(function()
        chat.touched = vim.tbl_extend("force", touched, chat.touched or {})
        tell(chat)
      end),
    })
  end
end

--- Notes which sent queries the user has touched, with rows as they are after the change.
---@param buf integer
---@param first integer
---@param last integer
function undo.on_change(buf, first, last)
  local chat = registry.get(buf)
  if not chat or not chat.sent or first > blocks.prompt_row(chat) then
    return
  end
  local is_noted = chat.touched ~= nil
  for id in pairs(chat.sent) do
    local from, stop = blocks.range(chat, id)
    if
      from
      and stop
      and last >= from
      and (first <= stop or first <= blocks.next_row(chat, stop))
    then
      chat.touched = chat.touched or {}
      chat.touched[id] = true
    end
  end
  if chat.touched and not is_noted then
    vim.schedule(function()
      tell(chat)
    end)
  end
end

--- Notes that the host has a query, so that it is sent edits of it from now on.
---@param chat codex-chat.Chat
---@param id string
function M.sent(chat, id)
  chat.sent = chat.sent or {}
  chat.sent[id] = "sent"
end

events.hook("QueryHeard", function(data)
  local chat = registry.get(data.buf)
  for _, id in ipairs(chat and data.ids or {}) do
    if chat.sent and chat.sent[id] then
      chat.sent[id] = "heard"
    end
  end
end)

events.hook("TurnEnded", function(data)
  local chat = registry.get(data.buf)
  for id, is in pairs(data.status == "completed" and chat and chat.sent or {}) do
    -- It is answered: it is never sent again.
    if is == "heard" then
      chat.sent[id] = nil
    end
  end
end)

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

--- The row for a query that goes into the running turn: above those that wait for the next one, so that
--- the text has the order in which Codex gets them. Without such a turn it is the prompt's row.
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
    local below = api.nvim_buf_get_lines(chat.buf, range[2], edge, false)
    if table.concat(below):find("%S") then
      break
    end
    edge = range[1]
  end
  return edge
end

return M
