--- The hint in the empty prompt, as virtual text.
local M = {}

local prompt_text = require("codex-chat.buffer.prompt_text")
local status = require("codex-chat.status")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.hint")

--- Shows in an empty prompt how to send, and which mention is being read.
---@param chat codex-chat.Chat
---@param inserting? boolean whether the user is in insert mode; by default as it is now
function M.show(chat, inserting)
  local buf = chat.buf
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
  local kind = chat.state.phase .. (inserting and " i" or "")
  local row = chat.hint and api.nvim_buf_get_extmark_by_id(buf, ns, chat.hint, {})[1]
  if row == last and chat.hint_kind == kind then
    return
  end
  chat.hint_kind = kind
  local keys = require("codex-chat.config").get().keys
  local words = "Ask Codex …"
  if chat.state.phase == "failed" then
    words = "Retry or ask again …"
  elseif status.is_busy(chat.state.phase) then
    words = "Steer Codex …"
  end
  local key = inserting and keys.send_insert or keys.send
  if key then
    words = ("%s  %s sends"):format(words, key)
  end
  chat.hint = api.nvim_buf_set_extmark(buf, ns, last, 0, {
    id = chat.hint,
    virt_text = { { words, "CodexChatHint" } },
    virt_text_pos = "overlay",
    virt_text_hide = true,
  })
end

return M
