--- Queries with a callback, which is called when their turn has ended.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local events = require("codex-chat.events")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

local api = vim.api

---@class (exact) codex-chat.Asked
---@field buf integer
---@field id string the query's block
---@field heard boolean whether it is in Codex's thread
---@field on_end fun(result: codex-chat.AskEnd)

---@type codex-chat.Asked[] oldest first
local waiting = {}

---@type table<integer, table<string, true>> by buffer: the queries in Codex's thread
local heard = {}

--- The answer after the query so far. Headings, and queries that were sent into the same turn, are left
--- out; the answer ends at a query that Codex does not have yet.
---@param asked codex-chat.Asked
---@return string
local function answer(asked)
  local chat = registry.get(asked.buf)
  if not chat or not api.nvim_buf_is_loaded(asked.buf) then
    return ""
  end
  local _, first = blocks.range(chat, asked.id)
  if not first then
    return ""
  end
  local stop = blocks.prompt_row(chat)
  local theirs = {}
  for id in pairs(chat.blocks) do
    local row, finish = nil, nil
    if vim.startswith(id, "user:") then
      row, finish = blocks.range(chat, id)
    end
    if row and finish and row >= first and heard[asked.buf] and heard[asked.buf][id] then
      for i = row, finish - 1 do
        theirs[i] = true
      end
    elseif row and row >= first then
      stop = math.min(stop, row)
    end
  end
  local answer_lines, fence = {}, nil
  for i, line in ipairs(api.nvim_buf_get_lines(asked.buf, first, math.max(first, stop), false)) do
    local inside = fence ~= nil
    fence = require("codex-chat.format").step(fence, line)
    local heading = not inside and require("codex-chat.format").role_of(line) == "codex"
    if not theirs[first + i - 1] and not heading then
      answer_lines[#answer_lines + 1] = line
    end
  end
  return (vim.trim(table.concat(answer_lines, "\n")):gsub("\n\n\n+", "\n\n"))
end

--- Whether the query is not sent yet, because its mentions are still being resolved.
---@param asked codex-chat.Asked
---@return boolean
local function is_outgoing(asked)
  local chat = registry.get(asked.buf)
  return vim.iter(chat and chat.outgoing or {}):any(function(outgoing)
    return outgoing.id == asked.id
  end)
end

--- Calls the callbacks of the queries that `which` selects, and removes them.
---@param which fun(asked: codex-chat.Asked): boolean
---@param status string
---@param failure? codex-chat.TurnFailure
local function finish(which, status, failure)
  local done, left = {}, {}
  for _, asked in ipairs(waiting) do
    table.insert(which(asked) and done or left, asked)
  end
  waiting = left
  for _, asked in ipairs(done) do
    local result = { status = status, failure = failure, answer = answer(asked) }
    local ok, err = pcall(asked.on_end, result)
    if not ok then
      say.error("ask()'s on_end failed: " .. err)
    end
  end
end

events.hook("QueryHeard", function(data)
  heard[data.buf] = heard[data.buf] or {}
  for _, id in ipairs(data.ids) do
    heard[data.buf][id] = true
  end
  for _, asked in ipairs(waiting) do
    if asked.buf == data.buf and vim.list_contains(data.ids, asked.id) then
      asked.heard = true
    end
  end
end)

events.hook("TurnEnded", function(data)
  finish(function(asked)
    -- A queued query waits for the turn that it starts; after a failed turn none starts.
    return asked.buf == data.buf
      and (asked.heard or data.status ~= "completed" and not is_outgoing(asked))
  end, data.status, data.failure)
end)

events.hook("Closed", function(data)
  finish(function(asked)
    return asked.buf == data.buf
  end, "closed")
  heard[data.buf] = nil
end)

events.hook("HostEnded", function(data)
  finish(function()
    return true
  end, "failed", { kind = "host", message = data.message })
end)

--- Sends `text` as a separate query; the prompt stays as it is.
---@param chat codex-chat.Chat
---@param text string
---@param opts? codex-chat.AskOpts
---@return string? id the query's block; nil, after a message, if nothing was sent
function M.ask(chat, text, opts)
  opts = opts or {}
  local lines = vim.split(text, "\n", { plain = true })
  local asked ---@type codex-chat.Asked?
  local function fail(kind, message)
    finish(function(each)
      return each == asked
    end, "failed", { kind = kind, message = message })
  end
  local id = require("codex-chat.prompt").send_lines(chat, lines, {
    mode = opts.mode,
    refused = function(err)
      fail("context", ("Nothing was sent. %s."):format(err))
    end,
  })
  if id and opts.on_end then
    asked = { buf = chat.buf, id = id, heard = false, on_end = opts.on_end }
    waiting[#waiting + 1] = asked
    if chat.host == "lost" then
      fail("host", chat.state.detail or "The host did not start.")
    end
  end
  return id
end

return M
