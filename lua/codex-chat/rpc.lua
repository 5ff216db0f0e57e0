--- The functions that the host calls, by name through nvim_exec_lua. Their types are in wire.lua.
---
--- Arguments come as values, never as source. SECURITY: text in them may be the model's; it only ever
--- becomes buffer text, virtual text or a message.
local M = {}

local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

--- Replaces `vim.NIL` by Lua's own nil, one level deep.
---@param value any
---@return any
local function clean(value)
  if value == vim.NIL then
    return nil
  end
  if type(value) == "table" then
    for key, entry in pairs(value) do
      if entry == vim.NIL then
        value[key] = nil
      end
    end
  end
  return value
end

---@param buf integer
---@return codex-chat.Chat? chat nil if the buffer is no longer a chat: the host gets `chat/close` then
local function chat_of(buf)
  local chat = registry.get(buf)
  if chat and vim.api.nvim_buf_is_loaded(buf) then
    require("codex-chat.host").attached(chat)
    return chat
  end
end

local handlers = {} --[[@as codex-chat.Handlers]]

function handlers.buf_set_edits(buf, edits)
  chat_of(buf)
  for _, edit in ipairs(edits) do
    clean(edit)
  end
  return require("codex-chat.buffer.edits").apply(buf, edits, function(chat)
    require("codex-chat.approval").refresh(chat)
    require("codex-chat.ui.hint").show(chat)
    require("codex-chat.highlight").written(chat.buf)
  end)
end

function handlers.buf_set_state(buf, state)
  state = clean(state)
  local chat = registry.get(buf)
  if chat and chat.host == "asked" and state.phase == "failed" then
    -- The host did not take the conversation: Lua keeps writing it, and the next query asks again.
    chat.host = "lost"
  else
    chat = chat_of(buf)
  end
  if chat then
    chat.sending = nil
    require("codex-chat.status").set(chat, state)
  end
end

function handlers.buf_set_approval(buf, change)
  local chat = chat_of(buf)
  if chat then
    change = clean(change)
    require("codex-chat.buffer.defer_edits").run(chat, function()
      require("codex-chat.approval").set(chat, change)
    end)
  end
end

function handlers.buf_set_meta(buf, meta)
  local chat = chat_of(buf)
  if not chat then
    return
  end
  meta = clean(meta)
  require("codex-chat.buffer.defer_edits").run(chat, function()
    local blocks = require("codex-chat.buffer.blocks")
    local head = vim.api.nvim_buf_get_lines(buf, 0, math.min(100, blocks.prompt_row(chat)), false)
    local changes = require("codex-chat.format").meta_changes(head, meta)
    blocks.machine(chat, function()
      for _, change in ipairs(changes) do
        blocks.splice(chat, change.row, change.count, change.lines)
      end
    end)
    require("codex-chat.buffer.fold").renew(buf, 0)
    local lines = vim.api.nvim_buf_get_lines(buf, 0, 200, false)
    chat.head = require("codex-chat.format").head(lines) or chat.head
  end)
end

function handlers.buf_set_name(buf, path)
  local chat = chat_of(buf)
  if chat then
    require("codex-chat.chat").rename(chat, path)
  end
end

function handlers.buf_set_saved(buf, hash)
  local chat = chat_of(buf)
  if chat then
    require("codex-chat.disk.truth").host_writes(chat, hash)
  end
end

function handlers.buf_is_own(buf, hash, here, is_first)
  local chat = chat_of(buf)
  local truth = require("codex-chat.disk.truth")
  if not chat then
    return "other"
  elseif vim.fn.sha256(truth.text_of(buf)) ~= here then
    return "stale"
  end
  local is_own = is_first and truth.is_own or truth.is_written
  return is_own(chat, hash) and "own" or "other"
end

function handlers.chat_confirm(buf)
  require("codex-chat.host").kept(registry.get(buf))
end

function handlers.chat_reload(buf, hash)
  local chat = chat_of(buf)
  return chat ~= nil and require("codex-chat.chat.reread").reread(chat, hash)
end

function handlers.chat_relocate(buf, to)
  local chat = registry.get(buf)
  if chat and vim.api.nvim_buf_is_loaded(buf) then
    require("codex-chat.chat").relocate(chat, clean(to))
  end
end

function handlers.tool_run(buf, call)
  local chat = chat_of(buf)
  if chat then
    require("codex-chat.tools").run(chat, clean(call))
  end
end

function handlers.buf_show_file(buf, at)
  local chat = registry.get(buf)
  if chat and require("codex-chat.config").get().window.follow then
    require("codex-chat.review.beside").show(chat, at.path, at.line)
  end
end

function handlers.quickfix_set(findings)
  require("codex-chat.commands.review").findings(findings)
end

function handlers.threads_page(id, threads)
  require("codex-chat.threads.client").page(id, threads)
end

function handlers.threads_let_go(path)
  return require("codex-chat.threads.file").let_go(path)
end

function handlers.action_answer(id, answer)
  require("codex-chat.host.request").answered(id, answer)
end

function handlers.ui_notify(level, message)
  local as = say[level] or say.info
  as(message)
end

function handlers.buf_reload(what)
  require("codex-chat.reload.gone").find_renamed = require("codex-chat.host.renames").find
  require("codex-chat.reload").reload(what)
  require("codex-chat.events").emit(
    "FilesChanged",
    what.root and { root = what.root } or { paths = what }
  )
end

function handlers.event_emit(name, data)
  data = clean(data)
  require("codex-chat.events").emit(name, data)
  local chat = name == "TurnEnded" and data.status == "interrupted" and registry.get(data.buf)
  if chat then
    require("codex-chat.commands.terminals").after_stop(chat)
  end
end

--- Runs the function of this name.
---@param name string
---@param args any[]
---@return any
function M.call(name, args)
  local handler = handlers[name]
  if not handler then
    error(("the host called %s, which this version does not have"):format(name))
  end
  -- Not unpack(args): an argument that is nil on the wire must not shorten the list.
  local result = handler(clean(args[1]), clean(args[2]), clean(args[3]), clean(args[4]))
  return result == nil and vim.NIL or result
end

return M
