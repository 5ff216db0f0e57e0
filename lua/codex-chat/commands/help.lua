--- `:CodexChat help`, and `/help` in the prompt: the page that lists the commands with a line each.
local M = {}

--- What the subcommands do that are no slash commands; `prompt/slash.lua` has the others.
M.about = {
  accept = "accepts Codex's request once",
  ["accept-project"] = "allows the host in this project from now on",
  ["accept-session"] = "accepts, and does not ask for the same again in this chat",
  answer = "answers Codex's question: [text]",
  cancel = "declines, and stops the turn",
  commits = "lists Codex's commits: [copy|log]",
  decline = "declines Codex's request: [reason]",
  diff = "shows what Codex changed: [inline|quickfix] [turn|all]",
  login = "logs in to ChatGPT: [browser|device|cancel]",
  logout = "ends that login",
  network = "shows what the sandbox may reach: [forget host]",
  open = "shows the conversation: [dir]",
  patch = "shows a patch that waits as a diff that you can edit",
  prompt = "sends a template: [name [input]]",
  question = "goes to the question that waits",
  redo = "brings back what was last taken back",
  revert = "removes everything after the cursor's turn",
  sandbox = "[status|check|shell|restart|rebuild|clear|prune|stop|log]",
  send = "sends the prompt, the range or the text: [text]",
  setup = "checks each step of the set-up, with its commands",
  toggle = "shows or hides the conversation",
  undo = "takes back what Codex changed: [turn|since]",
}

---@param name string
---@param text string
---@return string
local function line(name, text)
  -- SECURITY: a template's description comes from a file.
  return (("    %-16s %s"):format(name, text):gsub("%c", " "))
end

---@param names string[] of the subcommands
---@return string[]
local function lines_of(names)
  local slash = require("codex-chat.prompt.slash").commands()
  local templates = require("codex-chat.prompt.templates")
  local found = { "## In the prompt", "" }
  for name, text in vim.spairs(slash) do
    found[#found + 1] = line("/" .. name, text)
  end
  vim.list_extend(found, { "", "## Prompt templates", "" })
  for _, name in ipairs(templates.names()) do
    found[#found + 1] = line("/" .. name, templates.description(name))
  end
  vim.list_extend(found, { "", "## :CodexChat", "" })
  table.sort(names)
  for _, name in ipairs(names) do
    found[#found + 1] = line(name, M.about[name] or slash[name] or "")
  end
  local rest = "`q` closes this page, `:help codex-chat-commands` has more."
  return vim.list_extend(found, { "", rest })
end

--- Shows the page.
---@param names string[] of the subcommands
function M.show(names)
  require("codex-chat.ui.page").show(lines_of(names), "help")
end

return M
