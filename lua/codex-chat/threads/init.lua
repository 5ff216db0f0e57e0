--- The conversations of a project, or of all: listing them, and what is done with the one picked.
local M = {}

local say = require("codex-chat.message")

--- Each task loads what it needs when it is done.
---@param module string
---@param fn string
---@return fun(summary: codex-chat.ThreadSummary, force?: boolean)
local function lazily(module, fn)
  return function(summary, force)
    require("codex-chat.threads." .. module)[fn](summary, force)
  end
end

---@type table<string, { prompt: string, run: fun(summary: codex-chat.ThreadSummary, force?: boolean), archived?: boolean }>
local tasks = {
  open = { prompt = "Conversation", run = lazily("tasks", "open") },
  manage = { prompt = "Manage which conversation?", run = lazily("tasks", "manage") },
  rename = { prompt = "Rename which conversation?", run = lazily("rename", "ask") },
  archive = { prompt = "Archive which conversation?", run = lazily("tasks", "archive") },
  unarchive = {
    prompt = "Take which conversation out of the archive?",
    run = lazily("tasks", "unarchive"),
    archived = true,
  },
  delete = { prompt = "Delete which conversation?", run = lazily("tasks", "delete") },
  archived = {
    prompt = "Archived conversation",
    run = lazily("tasks", "manage"),
    archived = true,
  },
}

--- The words that `:CodexChat threads` takes.
M.tasks = { "open", "manage", "rename", "archive", "unarchive", "delete", "archived" }

--- How many entries Neovim's own menu gets: it prints all of them, and nobody can filter them there.
local menu_entries = 500

--- Offers conversations; in Neovim's own menu a part of them, and the older ones by its last entry.
---@param found codex-chat.ThreadSummary[]
---@param task { prompt: string, run: fun(summary: codex-chat.ThreadSummary) }
---@param from? integer
local function choose(found, task, from)
  from = from or 1
  local entries = found --[[@as (codex-chat.ThreadSummary|{ label: string, older: integer })[] ]]
  local older = from + menu_entries
  if #found > menu_entries and require("codex-chat.ui.confirm").is_builtin_menu() then
    entries = vim.list_slice(found, from, older - 1)
    if older <= #found then
      local label = ("… %d older conversations"):format(#found - older + 1)
      entries[#entries + 1] = { label = label, older = older }
    end
  end
  vim.ui.select(entries, {
    prompt = task.prompt,
    kind = "codex-chat-thread",
    format_item = function(choice)
      return choice.label
    end,
  }, function(choice)
    if choice and choice.older then
      choose(found, task, choice.older)
    elseif choice then
      task.run(choice)
    end
  end)
end

--- `:CodexChat[!] threads [task]`: lists conversations, and does the task with the one picked.
---@param word string
---@param all boolean of all projects
function M.pick(word, all)
  local task = tasks[word == "" and "open" or word]
  if not task then
    say.error(("`:CodexChat threads` takes %s."):format(table.concat(M.tasks, ", ")))
    return
  end
  local wanted = { all = all, archived = task.archived or false }
  require("codex-chat.threads.client").list(wanted, function(found, problems)
    if #problems > 0 then
      say.warn("not everything can be listed: " .. table.concat(problems, "; "))
      if #found == 0 then
        return
      end
    end
    if #found == 0 then
      local none = task.archived and "nothing is archived." or "there is no conversation yet."
      say.info(none)
      return
    end
    choose(found, task)
  end, say.error)
end

--- Does a task with the conversation that is open here.
---@param word "rename"|"archive"|"unarchive"|"delete"
---@param rest string the name, for renaming
---@param force? boolean without a question
function M.current(word, rest, force)
  local chat = require("codex-chat.project").current_chat()
  if not chat then
    say.info("no conversation is open. :CodexChat opens one.")
    return
  end
  local summary = require("codex-chat.threads.file").summary_of(chat)
  if word == "rename" and rest ~= "" then
    require("codex-chat.threads.rename").rename(summary, rest)
  else
    tasks[word].run(summary, force)
  end
end

--- `:CodexChat[!] search {text}`
---@param text string
---@param all boolean
function M.search(text, all)
  require("codex-chat.threads.search").run(text, all)
end

return M
