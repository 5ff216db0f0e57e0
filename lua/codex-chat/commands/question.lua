--- `:CodexChat question`: goes to a question that waits for an answer.
local M = {}

local approval = require("codex-chat.approval")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

local api = vim.api

--- Goes to the next question, in whichever conversation it is, or asks about a file that changed while its
--- buffer has unsaved changes.
function M.go()
  local conflict = require("codex-chat.reload.conflict")
  local buf = conflict.next()
  if
    buf and (buf == api.nvim_get_current_buf() or not require("codex-chat.ui.waiting").all()[1])
  then
    require("codex-chat.reload.choose").ask(buf)
    return
  end
  local chat = registry.get(0)
  if not chat or #chat.approvals == 0 then
    local first = require("codex-chat.ui.waiting").all()[1]
    chat = first and first.chat
  end
  if not chat then
    say.info("no question is waiting for an answer.")
    return
  end
  local window = require("codex-chat.ui.window")
  local win = window.find(chat.buf) or registry.wins(chat.buf)[1]
  if win then
    api.nvim_set_current_win(win)
  else
    require("codex-chat.chat").show(chat, { insert = false })
  end
  approval.jump(chat, 1)
  vim.cmd("normal! zv")
end

return M
