--- The public face. Everything works without setup(); commands are in plugin/codex-chat.lua, types in
--- types.lua. A function that needs a conversation takes `{ buf = … }`; by default it takes the
--- current buffer's, else the one of its project. It returns false if none is open.
-- This may be the first module of the plugin to be loaded.
dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/loader.lua")

local M = {}

---@param opts? { buf?: integer }
---@return codex-chat.Chat?
local function chat_of(opts)
  if opts and opts.buf then
    local chat = require("codex-chat.registry").get(opts.buf)
    return chat or error(("codex-chat: buffer %d is not a conversation"):format(opts.buf), 3)
  end
  return require("codex-chat.project").current_chat()
end

--- Overrides the settings of `vim.g.codex_chat` and of earlier calls.
---@param opts? table see :help codex-chat-config
function M.setup(opts)
  require("codex-chat.config").setup(opts)
  require("codex-chat.chat.adopt").configured()
end

--- Shows the project's conversation and moves the cursor there.
---@param opts? { insert?: boolean } whether to start insert mode; by default as configured
---@return integer buf
function M.open(opts)
  return require("codex-chat.chat").open(opts).buf
end

--- Shows or hides the project's conversation.
function M.toggle()
  require("codex-chat.chat").toggle()
end

--- Starts a new conversation.
---@return integer buf
function M.new()
  return require("codex-chat.chat").new().buf
end

--- Sends the text in the prompt.
---@param opts? codex-chat.SendOpts
---@return boolean
function M.send(opts)
  local chat = chat_of(opts)
  if chat then
    require("codex-chat.commands.query.send").send(chat, opts and opts.mode)
  end
  return chat ~= nil
end

--- Sends `text` as a query; the prompt and the current window stay as they are. If no conversation is
--- open, the project's latest is opened without a window.
---@param text string
---@param opts? codex-chat.AskOpts
---@return string? id nil, after a message, if nothing was sent
function M.ask(text, opts)
  local chat = chat_of(opts)
    or require("codex-chat.chat").latest(require("codex-chat.project").of_buf())
  return require("codex-chat.prompt.ask").ask(chat, text, opts)
end

--- Stops the running turn.
---@param opts? codex-chat.ChatOpts
---@return boolean
function M.stop(opts)
  local chat = chat_of(opts)
  return chat ~= nil and require("codex-chat.host").notify(chat, "turn/interrupt", {})
end

--- Sends a failed query again.
---@param opts? codex-chat.ChatOpts
---@return boolean
function M.retry(opts)
  local chat = chat_of(opts)
  return chat ~= nil and require("codex-chat.host").notify(chat, "turn/retry", {})
end

--- Answers an approval or a question of Codex's.
---@param decision codex-chat.Decision
---@param opts? codex-chat.AnswerOpts
---@return boolean answered false if none is pending, or none takes this answer
function M.answer(decision, opts)
  local chat = chat_of(opts)
  return chat ~= nil and require("codex-chat.approval").answer_as(chat, decision, opts or {})
end

--- The status of a conversation; nil if none is open.
---@param opts? codex-chat.ChatOpts
---@return codex-chat.Status?
function M.status(opts)
  local chat = opts and opts.buf and chat_of(opts) or require("codex-chat.ui.statusline").here()
  return chat and require("codex-chat.status").of(chat)
end

--- The status as one line, for `%{%v:lua.require'codex-chat'.statusline()%}`.
---@param opts? codex-chat.StatuslineOpts
---@return string
function M.statusline(opts)
  return require("codex-chat.ui.statusline").statusline(opts)
end

--- The status of every open conversation.
---@return codex-chat.Status[]
function M.chats()
  return vim.tbl_map(require("codex-chat.status").of, require("codex-chat.registry").all())
end

--- The whole text of a conversation, as markdown; nil if none is open.
---@param opts? codex-chat.ChatOpts
---@return string?
function M.text(opts)
  local chat = chat_of(opts)
  local lines = chat and (chat.unloaded_lines or vim.api.nvim_buf_get_lines(chat.buf, 0, -1, false))
  return lines and table.concat(lines, "\n")
end

--- Calls `callback` with the text that a file had before Codex changed it, as far as you have not accepted
--- the changes; with nil where there are none. Other plugins can show a diff against it.
---@param path string absolute
---@param callback fun(text?: string)
function M.review_text(path, callback)
  require("codex-chat.review.signs").reference(path, callback)
end

--- Calls `fn` at each event of this name, such as "TurnEnded"; "*" matches every event.
--- :help codex-chat-events
---@param event codex-chat.EventName|"*"
---@param fn fun(data: table, event: codex-chat.EventName)
---@return fun() off stops the calls
function M.on(event, fn)
  return require("codex-chat.events").on(event, fn)
end

--- Runs `:CodexChat {name} {words}`, for commands without a function here: `run("review", "base
--- main")`.
---@param name string
---@param words? string
function M.run(name, words)
  vim.cmd.CodexChat({ args = { name .. (words and " " .. words or "") } })
end

return M
