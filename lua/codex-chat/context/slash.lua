--- Commands that are typed into the prompt: `/name …` as its only line.
local M = {}

--- Names that stand for `:CodexChat` with the same name and what follows.
M.commands = {
  archive = "puts this conversation away",
  compact = "sums up what Codex remembers",
  delete = "deletes this conversation",
  fork = "goes on from here in a new conversation",
  model = "chooses the model: [name [effort]]",
  new = "begins another conversation",
  plan = "turns plan mode on or off",
  preview = "shows what would be sent: [text]",
  rename = "names this conversation",
  review = "reviews changes: [uncommitted|base|commit] …",
  search = "looks through all conversations",
  status = "tells how things stand",
  stop = "stops the turn",
  terminals = "commands that still run",
  threads = "lists conversations",
}

---@param text string
---@return string? name
---@return string rest
local function parse(text)
  local name, rest = text:match("^/(%a[%w_-]*)%s*(.*)$")
  -- `/etc/hosts` is a path, and several lines are a query.
  if not name or text:match("^/[%w_-]+/") or text:find("\n") then
    return nil, ""
  end
  return name, rest
end

--- Empties the prompt.
---@param chat codex-chat.Chat
local function clear(chat)
  local blocks = require("codex-chat.blocks")
  local row = blocks.prompt_row(chat)
  vim.api.nvim_buf_set_lines(chat.buf, row + 1, -1, false, { "", "" })
  vim.bo[chat.buf].modified = false
  local win = require("codex-chat.window").find(chat.buf)
  if win then
    require("codex-chat.prompt").enter(chat, win)
  end
  require("codex-chat.status").hint(chat)
end

--- Runs the prompt's text if it is a command. A text that begins with `//` is sent with one of them.
---@param chat codex-chat.Chat
---@param text string
---@return boolean whether there is nothing left to send
function M.run(chat, text)
  local name, rest = parse(text)
  if not name then
    return false
  end
  if M.commands[name] then
    clear(chat)
    vim.cmd.CodexChat({ args = rest == "" and { name } or { name, rest } })
    return true
  end
  local templates = require("codex-chat.context.templates")
  local template = templates.get(name)
  if template then
    clear(chat)
    templates.send(chat, template, rest)
    return true
  end
  vim.notify(
    ("codex-chat: there is no command /%s; :help codex-chat-slash lists them. Write a space before the / to send it as text."):format(
      name
    ),
    vim.log.levels.ERROR
  )
  return true
end

return M
