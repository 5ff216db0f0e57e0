--- Sends the prompt, and decides what that means: sending its text, running the command in it, or,
--- where it is empty, sending an earlier query again.
local M = {}

local fork = require("codex-chat.commands.query.fork")
local heading = require("codex-chat.buffer.heading")
local prompt = require("codex-chat.prompt")

local api = vim.api

--- Sends the query that the cursor is in again, or the one that has no answer.
---@param chat codex-chat.Chat
local function send_again(chat)
  local row = api.nvim_win_get_cursor(0)[1] - 1
  if api.nvim_get_current_buf() == chat.buf and fork.in_sent_query(chat, row) then
    fork.resend(chat, row, M.send)
  else
    -- The host knows whether a query has no answer, and reports where none has.
    require("codex-chat.host").notify(chat, "turn/retry", {})
  end
end

---@param chat codex-chat.Chat
---@param mode? "steer"|"queue"
function M.send(chat, mode)
  heading.settle(chat)
  local text = prompt.text(chat)
  if text == "" then
    send_again(chat)
    return
  end
  local refused = require("codex-chat.config").refusal()
  if refused then
    require("codex-chat.message").error(refused)
    return
  end
  local query = require("codex-chat.prompt.slash").run(chat, text)
  if query then
    prompt.send_text(chat, query, mode)
  end
end

return M
