--- The user's leave to build the project's own Dockerfile.
local M = {}

--- Allows the version of the Dockerfile whose hash begins so.
---@param chat codex-chat.Chat
---@param hash string
function M.allow(chat, hash)
  require("codex-chat.action").run(chat, "dockerfile/allow", { hash = hash }, function(said, err)
    vim.notify("codex-chat: " .. (err or said), err and vim.log.levels.ERROR or vim.log.levels.INFO)
  end)
end

return M
