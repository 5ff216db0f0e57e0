--- The prompt: the last `## You` section, and sending it.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local heading = require("codex-chat.buffer.heading")
local prompt_text = require("codex-chat.buffer.prompt_text")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

local api = vim.api

M.text, M.is_empty = prompt_text.text, prompt_text.is_empty

--- Puts the cursor at the prompt's end.
---@param chat codex-chat.Chat
---@param win integer
function M.enter(chat, win)
  local last = api.nvim_buf_line_count(chat.buf)
  local text = api.nvim_buf_get_lines(chat.buf, last - 1, last, false)[1] or ""
  api.nvim_win_set_cursor(win, { last, #text })
  require("codex-chat.buffer.view").show_end(win)
end

--- Puts the cursor of a window at the prompt's end, with a whole heading above it where the prompt is
--- empty.
---@param chat codex-chat.Chat
---@param win integer
function M.show(chat, win)
  if M.is_empty(chat) then
    heading.settle(chat)
  end
  M.enter(chat, win)
end

--- Adds text to the end of the prompt, with a blank line above it.
---@param chat codex-chat.Chat
---@param lines string[]
function M.add(chat, lines)
  heading.settle(chat)
  local count = api.nvim_buf_line_count(chat.buf)
  local last = count
  local row = blocks.prompt_row(chat)
  while
    last > row + 1 and not api.nvim_buf_get_lines(chat.buf, last - 1, last, false)[1]:find("%S")
  do
    last = last - 1
  end
  -- It counts as the user's own edit, so `u` takes it back.
  api.nvim_buf_set_lines(chat.buf, last, count, false, vim.list_extend({ "" }, lines))
  vim.bo[chat.buf].modified = false
  require("codex-chat.ui.hint").show(chat)
end

--- Sends the host a query; `line` says in the document what goes along.
---@param chat codex-chat.Chat
---@param query { id: string, text: string, mode?: "steer"|"queue", line?: string, parts: codex-chat.ContextPart[] }
local function tell(chat, query)
  local pending = require("codex-chat.buffer.pending")
  local unsaved = require("codex-chat.tools").unsaved(chat.root)
  ---@type codex-chat.TurnSend
  local message = {
    id = query.id,
    text = query.text,
    mode = query.mode or "steer",
    unsaved = #unsaved > 0 and unsaved or nil,
  }
  if query.line then
    message.context_line = query.line
    message.context = vim.tbl_map(function(part)
      return { text = part.text, image = part.image, skill = part.skill }
    end, query.parts)
  end
  pending.set_waiting(chat, query.id, message.mode == "queue")
  chat.sending, chat.in_turn = true, true
  if require("codex-chat.host").notify(chat, "turn/send", message) then
    pending.sent(chat, query.id)
  end
  require("codex-chat.events").emit("QuerySent", {
    buf = chat.buf,
    id = query.id,
    text = query.text,
    mode = message.mode,
  })
end

---@param err string
local function complain(err)
  say.error("nothing was sent. " .. err .. ".")
end

--- Resolves the mentions of the prompt's query. If that takes other programs, the editor goes on
--- meanwhile and the query stays where it is, so that nothing is lost whatever happens.
---@param chat codex-chat.Chat
---@param text string
---@param use fun(parts: codex-chat.ContextPart[])
local function prepare(chat, text, use)
  local resolver = require("codex-chat.context.resolve")
  local slow = resolver.slow(text)
  if not slow then
    local parts, err = resolver.all(text, chat.root)
    if parts then
      use(parts)
    else
      complain(err --[[@as string]])
    end
    return
  end
  if chat.preparing then
    say.info(("%s is still being read."):format(chat.preparing))
    return
  end
  local typed = M.text(chat)
  chat.preparing = slow
  require("codex-chat.ui.hint").show(chat)
  require("codex-chat.async").async(function()
    return resolver.all(text, chat.root)
  end, function(parts, err)
    chat.preparing = nil
    if registry.get(chat.buf) ~= chat or not api.nvim_buf_is_loaded(chat.buf) then
      return
    end
    require("codex-chat.ui.hint").show(chat)
    if not parts then
      complain(err --[[@as string]])
    elseif M.text(chat) ~= typed then
      local message =
        "nothing was sent, because you changed the query while %s was read. Send it again."
      say.error(message:format(slow))
    else
      require("codex-chat.buffer.defer_edits").run(chat, function()
        use(parts)
      end)
    end
  end)
end

---@param chat codex-chat.Chat
---@return string id of the next sent query's block
local function next_id(chat)
  chat.next_user = chat.next_user + 1
  return ("user:%d"):format(chat.next_user)
end

---@class (exact) codex-chat.Outgoing
---@field id string
---@field lines string[]
---@field mode? "steer"|"queue"
---@field refused? fun(err: string)

--- Puts a query above the prompt, in which the user may be typing, and sends it.
---@param chat codex-chat.Chat
---@param query codex-chat.Outgoing
---@param parts codex-chat.ContextPart[]
local function deliver_above(chat, query, parts)
  local line = require("codex-chat.context.resolve").line(parts)
  heading.settle(chat)
  blocks.machine(chat, function()
    local prompt = blocks.prompt_row(chat)
    local row = query.mode == "queue" and prompt or require("codex-chat.buffer.pending").row(chat)
    local section = vim.list_extend({ require("codex-chat.format").user_heading, "" }, query.lines)
    if line then
      vim.list_extend(section, { "", line })
    end
    local count = #section
    section[count + 1] = ""
    blocks.splice(chat, row, 0, section)
    blocks.set_prompt(chat, prompt + count + 1)
    blocks.set_range(chat, query.id, row, row + count, 0)
  end)
  local text = table.concat(query.lines, "\n")
  tell(chat, { id = query.id, text = text, mode = query.mode, line = line, parts = parts })
end

--- Sends the first of the queries that wait for programs, and then the others.
---@param chat codex-chat.Chat
local function deliver_outgoing(chat)
  local query = chat.outgoing and chat.outgoing[1]
  if not query then
    chat.outgoing = nil
    return
  end
  require("codex-chat.async").async(function()
    return require("codex-chat.context.resolve").all(table.concat(query.lines, "\n"), chat.root)
  end, function(parts, err)
    table.remove(chat.outgoing, 1)
    if registry.get(chat.buf) ~= chat or not api.nvim_buf_is_loaded(chat.buf) then
      return
    end
    if parts then
      require("codex-chat.buffer.defer_edits").run(chat, function()
        deliver_above(chat, query, parts)
      end)
    else
      complain(err)
      if query.refused then
        query.refused(err)
      end
    end
    deliver_outgoing(chat)
  end)
end

--- Sends `lines` as a query of their own, above the prompt. If its mentions take other programs, the
--- editor goes on meanwhile, and later queries wait for it: the order is kept.
---@param chat codex-chat.Chat
---@param lines string[]
---@param opts? { mode?: "steer"|"queue", refused?: fun(err: string) } refused: called if it is not sent after all
---@return string? id of its block; nil, after a message, if nothing was sent
function M.send_lines(chat, lines, opts)
  opts = opts or {}
  local resolver = require("codex-chat.context.resolve")
  local text = table.concat(lines, "\n")
  local query = { id = next_id(chat), lines = lines, mode = opts.mode, refused = opts.refused }
  if chat.outgoing then
    table.insert(chat.outgoing, query)
    return query.id
  end
  if resolver.slow(text) then
    chat.outgoing = { query }
    deliver_outgoing(chat)
    return query.id
  end
  local parts, err = resolver.all(text, chat.root)
  if not parts then
    complain(err --[[@as string]])
    return nil
  end
  deliver_above(chat, query, parts)
  return query.id
end

--- Turns the prompt's text into a sent query.
---@param chat codex-chat.Chat
---@param text string
---@param parts codex-chat.ContextPart[]
---@param mode? "steer"|"queue"
---@param from? integer the window that it is sent from, where the user still is
local function deliver(chat, text, parts, mode, from)
  local buf = chat.buf
  local line = require("codex-chat.context.resolve").line(parts)
  local id = next_id(chat)
  heading.settle(chat)
  local wins = vim.tbl_filter(function(win)
    return win == from or api.nvim_win_get_cursor(win)[1] > blocks.prompt_row(chat)
  end, registry.wins(buf))
  blocks.machine(chat, function()
    local row = blocks.prompt_row(chat)
    if api.nvim_buf_get_lines(buf, row + 1, row + 2, false)[1]:find("%S") then
      blocks.splice(chat, row + 1, 0, { "" })
    end
    local count = api.nvim_buf_line_count(buf)
    local stop = count
    while not api.nvim_buf_get_lines(buf, stop - 1, stop, false)[1]:find("%S") do
      stop = stop - 1
    end
    local rest = { "", require("codex-chat.format").user_heading, "" }
    if line then
      rest = vim.list_extend({ "", line }, rest)
    end
    blocks.splice(chat, stop, count - stop, rest)
    stop = line and stop + 2 or stop
    local at = mode == "queue" and row or require("codex-chat.buffer.pending").row(chat)
    if at < row then
      local section = api.nvim_buf_get_lines(buf, row, stop + 1, false)
      blocks.splice(chat, row, #section, {})
      blocks.splice(chat, at, 0, section)
    end
    blocks.set_range(chat, id, at, at + stop - row, 0)
    blocks.set_prompt(chat, stop + 1)
  end)
  require("codex-chat.buffer.undo").clear(buf)
  for _, win in ipairs(wins) do
    M.enter(chat, win)
  end
  require("codex-chat.ui.hint").show(chat)
  tell(chat, { id = id, text = text, mode = mode, line = line, parts = parts })
end

--- Sends the prompt's text. It stays where it is and becomes a block; an empty prompt follows it, and
--- the cursor goes there.
---@param chat codex-chat.Chat
---@param text string what the prompt holds
---@param mode? "steer"|"queue"
function M.send_text(chat, text, mode)
  local win = api.nvim_get_current_win()
  local cursor = vim.fn.getcurpos(win)
  prepare(chat, text, function(parts)
    local stayed = win == api.nvim_get_current_win()
      and vim.deep_equal(cursor, vim.fn.getcurpos(win))
    deliver(chat, text, parts, mode, stayed and win or nil)
  end)
end

return M
