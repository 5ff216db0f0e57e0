--- The user's permission to build the project's own Dockerfile.
local M = {}

local say = require("codex-chat.message")

--- Allows the version of the Dockerfile whose hash starts with this.
---@param chat codex-chat.Chat
---@param hash string
function M.allow(chat, hash)
  require("codex-chat.host.request").run(
    chat,
    "dockerfile/allow",
    { hash = hash },
    function(said, err)
      say[err and "error" or "info"](err or said)
    end
  )
end

return M
