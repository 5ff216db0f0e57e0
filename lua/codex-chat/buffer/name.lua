--- The name of a conversation.
local M = {}

--- The name in a conversation's front matter.
---@param chat codex-chat.Chat
---@return string?
function M.of(chat)
  local lines = vim.api.nvim_buf_get_lines(chat.buf, 0, 200, false)
  return require("codex-chat.format").name_of(lines)
end

return M
