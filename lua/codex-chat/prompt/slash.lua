--- Slash commands: `/name …` as the only line of the prompt.
local M = {}

local say = require("codex-chat.message")

--- The commands that run as `:CodexChat name …`, with a description for menus.
local menu = {
  approvals = "when Codex asks: [never|on-request|untrusted]",
  archive = "archives this conversation",
  compact = "summarizes what Codex remembers",
  delete = "deletes this conversation",
  diagnostics = "puts the diagnostics of your line into the prompt",
  fork = "continues from here in a new conversation",
  goal = "sets or shows the goal that Codex works towards",
  help = "lists the commands",
  log = "shows the host's log",
  mcp = "shows MCP servers and their tools",
  model = "chooses the model: [name [effort]]",
  new = "starts a new conversation",
  plan = "turns plan mode on or off",
  preview = "shows the message as it would be sent: [text]",
  rename = "names this conversation",
  retry = "sends a failed query again",
  review = "reviews changes: [uncommitted|base|commit] …",
  search = "searches all conversations",
  status = "shows the state of this conversation",
  stop = "stops the turn",
  terminals = "commands that still run",
  threads = "lists conversations",
  unarchive = "takes this conversation out of the archive",
}

--- The commands, each with a description.
---@return table<string, string>
function M.commands()
  return menu
end

---@param text string
---@return string? name
---@return string rest
local function parse(text)
  local name, rest = text:match("^/(%a[%w_:-]*)%s*(.*)$")
  -- `/etc/hosts` is a path, and several lines are a query.
  if not name or text:match("^/[%w_:-]+[^%s%w_:-]") or text:find("\n") then
    return nil, ""
  end
  return name, rest
end

--- Replaces the prompt's text by a line, as an edit of the user's.
---@param chat codex-chat.Chat
---@param line string
local function set(chat, line)
  local row = require("codex-chat.buffer.blocks").prompt_row(chat)
  vim.api.nvim_buf_set_lines(chat.buf, row + 1, -1, false, { line })
  vim.bo[chat.buf].modified = false
  local win = require("codex-chat.ui.window").find(chat.buf)
  if win then
    require("codex-chat.prompt").enter(chat, win)
  end
  require("codex-chat.ui.hint").show(chat)
end

---@param name string
local function refuse(name)
  local known =
    vim.list_extend(vim.tbl_keys(M.commands()), require("codex-chat.prompt.templates").names())
  table.sort(known)
  local near =
    require("codex-chat.did_you_mean").find(name, known, math.max(1, math.floor(#name / 3)))
  local message = "there is no command /%s%s. //%s is sent as text, and /help lists the commands."
  say.error(message:format(name, near and ("; did you mean /%s?"):format(near) or "", name))
end

--- Runs the prompt's text if it is a command. A text that starts with `//` is sent with one slash.
---@param chat codex-chat.Chat
---@param text string
---@return string? text the text to send; nil if there is none
function M.run(chat, text)
  if text:find("^//%a") and not text:find("\n") then
    return text:sub(2)
  end
  local name, rest = parse(text)
  if not name then
    return text
  end
  local skill = name:match("^skill:(.+)$")
  if skill and require("codex-chat.context.skill").get(chat.root, skill) then
    local line = vim.trim(("$%s %s"):format(skill, rest))
    set(chat, line)
    return line
  end
  if M.commands()[name] then
    set(chat, "")
    vim.cmd.CodexChat({ args = rest == "" and { name } or { name, rest } })
    return nil
  end
  local templates = require("codex-chat.prompt.templates")
  local template = templates.get(name)
  if template then
    set(chat, "")
    templates.send(chat, template, rest)
    return nil
  end
  refuse(name)
  return nil
end

return M
