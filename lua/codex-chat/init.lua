--- The public face. Everything works without setup(); commands are in plugin/codex-chat.lua.
local M = {}

--- Overrides settings; `vim.g.codex_chat` does the same without a call.
---@param opts? table see :help codex-chat-config
function M.setup(opts)
  require("codex-chat.config").setup(opts)
end

--- Shows the project's conversation and goes there.
function M.open()
  require("codex-chat.chat").open()
end

--- Shows or hides it.
function M.toggle()
  require("codex-chat.chat").toggle()
end

--- Begins a new conversation.
function M.new()
  require("codex-chat.chat").new()
end

--- Sends what stands in the prompt.
---@param opts? { mode?: "steer"|"queue" }
function M.send(opts)
  local chat = require("codex-chat.chat").here()
  if chat then
    require("codex-chat.prompt").send(chat, opts and opts.mode)
  end
end

--- Sends `text` as a query; what is in the prompt stays there, and the current window too.
---@param text string
---@param opts? { mode?: "steer"|"queue" }
function M.ask(text, opts)
  local chats = require("codex-chat.chat")
  local chat = chats.here() or chats.latest(require("codex-chat.project").of_buf())
  require("codex-chat.prompt").send_lines(
    chat,
    vim.split(text, "\n", { plain = true }),
    opts and opts.mode
  )
end

--- Stops the running turn.
function M.stop()
  local chat = require("codex-chat.chat").here()
  if chat then
    require("codex-chat.host").notify(chat, "turn/interrupt", {})
  end
end

--- What the project's conversation is at, for statuslines; nil where none is open.
---@return codex-chat.State?
function M.status()
  local chat = require("codex-chat.chat").here()
  return chat and vim.deepcopy(chat.state)
end

return M
