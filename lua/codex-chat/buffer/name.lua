--- The name of a conversation.
local M = {}

--- The name in a conversation's front matter.
---@param chat codex-chat.Chat
---@return string?
function M.of(chat)
  local title = require("codex-chat.threads.title")
  local lines = vim.api.nvim_buf_get_lines(chat.buf, 0, 40, false)
  local name = require("codex-chat.threads.worker").head_of(lines, title).name
  return name and title.clean(name)
end

return M
