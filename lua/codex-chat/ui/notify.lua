--- Reports the end of a turn, and questions, while the user looks elsewhere.
local M = {}

local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

local api = vim.api

-- A terminal that does not report its focus counts as focused.
local focused = true

--- Whether the user sees the chat: this tabpage shows it, and Neovim has the focus.
---@param chat codex-chat.Chat
---@return boolean
function M.in_view(chat)
  return focused and #registry.wins(chat.buf, 0) > 0
end

---@param chat codex-chat.Chat
---@param text string
---@param as fun(text: string, keep?: string)
---@param remedy? string
local function tell(chat, text, as, remedy)
  as(text, ("%s (%s)"):format(remedy or "", vim.fs.basename(chat.root)))
end

--- Reports a question, unless the user sees it.
---@param chat codex-chat.Chat
---@param title string one line, such as "Codex asks to run: ls"
function M.waiting(chat, title)
  if require("codex-chat.config").get().notify.waiting and not M.in_view(chat) then
    tell(chat, title, say.warn, ". :CodexChat question goes there")
  end
end

---@param data { buf: integer, status: string, failure?: codex-chat.TurnFailure }
local function ended(data)
  local chat = registry.get(data.buf)
  if
    not chat
    or not require("codex-chat.config").get().notify.done
    or M.in_view(chat)
    -- The next turn is running already, and the last one will report.
    or require("codex-chat.status").is_busy(chat.state.phase)
  then
    return
  end
  if data.status == "completed" then
    local took = chat.took and " after " .. require("codex-chat.ui.statusline").span(chat.took)
      or ""
    tell(chat, "Codex is done" .. took, say.info)
  elseif data.status == "failed" then
    local why = data.failure and data.failure.message or "the turn failed"
    tell(chat, "Codex stopped: " .. why, say.error)
  end
end

--- Starts to watch focus and turns. Idempotent.
function M.begin()
  local events = require("codex-chat.events")
  local group = events.first_group("notify")
  if not group then
    return
  end
  api.nvim_create_autocmd("FocusLost", {
    group = group,
    callback = function()
      focused = false
    end,
  })
  api.nvim_create_autocmd("FocusGained", {
    group = group,
    callback = function()
      focused = true
    end,
  })
  events.hook("TurnEnded", ended)
  events.hook("ApprovalRequested", function(data)
    local chat = registry.get(data.buf)
    if not chat then
      return
    end
    local title = data.title or "Codex asks you something"
    for _, approval in ipairs(chat.approvals) do
      if approval.id == data.id then
        approval.title = title
      end
    end
    require("codex-chat.ui.waiting").changed()
    M.waiting(chat, title)
  end)
end

return M
