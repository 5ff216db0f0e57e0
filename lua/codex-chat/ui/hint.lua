--- The hint in the empty prompt, as virtual text.
local M = {}

local prompt_text = require("codex-chat.buffer.prompt_text")
local status = require("codex-chat.status")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.hint")

--- The first key of a setting; nil where it has none.
---@param set codex-chat.KeyList
---@return string?
local function first_key(set)
  local key = type(set) == "table" and set[1] or set
  return type(key) == "string" and key ~= "" and key or nil
end

--- The columns of the narrowest window that shows the chat.
---@param buf integer
---@return integer
local function room(buf)
  return require("codex-chat.buffer.columns").narrowest(buf, vim.o.columns)
end

--- What can be typed now.
---@param chat codex-chat.Chat
---@return string
local function invitation(chat)
  local phase = chat.state.phase
  if #chat.approvals > 0 then
    return "Codex asks …"
  elseif phase == "failed" then
    return "Retry or ask again …"
  elseif chat.in_turn and status.is_busy(phase) then
    return "Steer Codex …"
  end
  return "Ask Codex …"
end

--- The hint's words, as many as fit: how to go to a question, to send, to mention, to run a command and to
--- see all keys.
---@param chat codex-chat.Chat
---@param inserting boolean
---@param columns integer
---@return string
local function words_for(chat, inserting, columns)
  local keys = require("codex-chat.config").get().keys
  local send = first_key(inserting and keys.send_insert or keys.send)
  local help = first_key(keys.show_keys)
  local answer = #chat.approvals > 0 and first_key(keys.next_approval)
  local first = invitation(chat)
  local parts = { "@ file", "/ command" }
  if send then
    send = send .. " send"
    table.insert(parts, 1, send)
  end
  if answer then
    table.insert(parts, 1, (inserting and "<Esc>" or "") .. answer .. " answer")
  end
  if help then
    table.insert(parts, help .. " keys")
  end
  -- The key that shows all others stays the longest, next to the one that sends or goes to the question.
  for _, drop in ipairs({ "", "/ command", "@ file", answer and send or nil }) do
    parts = vim.tbl_filter(function(part)
      return part ~= drop
    end, parts)
    local words = #parts > 0 and first .. "   " .. table.concat(parts, " · ") or first
    if api.nvim_strwidth(words) <= columns then
      return words
    end
  end
  return first
end

--- Shows in an empty prompt what can be typed there, and which mention is being read.
---@param chat codex-chat.Chat
---@param inserting? boolean whether the user is in insert mode; by default as it is now
function M.show(chat, inserting)
  local buf = chat.buf
  if not api.nvim_buf_is_loaded(buf) then
    return
  end
  if chat.preparing then
    chat.hint_kind = nil
    chat.hint = api.nvim_buf_set_extmark(buf, ns, api.nvim_buf_line_count(buf) - 1, 0, {
      id = chat.hint,
      virt_text = { { (" reading %s …"):format(chat.preparing), "CodexChatHint" } },
      virt_text_pos = "eol",
    })
    return
  end
  if not prompt_text.is_empty(chat) then
    if chat.hint then
      api.nvim_buf_del_extmark(buf, ns, chat.hint)
      chat.hint = nil
    end
    return
  end
  if inserting == nil then
    inserting = api.nvim_get_current_buf() == buf and vim.fn.mode():sub(1, 1) == "i"
  end
  local last = api.nvim_buf_line_count(buf) - 1
  local words = words_for(chat, inserting, room(buf))
  local row = chat.hint and api.nvim_buf_get_extmark_by_id(buf, ns, chat.hint, {})[1]
  if row == last and chat.hint_kind == words then
    return
  end
  chat.hint_kind = words
  chat.hint = api.nvim_buf_set_extmark(buf, ns, last, 0, {
    id = chat.hint,
    virt_text = { { words, "CodexChatHint" } },
    virt_text_pos = "overlay",
    virt_text_hide = true,
    -- On the background of the prompt.
    hl_mode = "combine",
  })
end

return M
