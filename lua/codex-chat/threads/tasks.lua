--- What can be done with a conversation of the list: opening it here; archiving and deleting it in the host.
local M = {}

local client = require("codex-chat.threads.client")
local file = require("codex-chat.threads.file")
local host = require("codex-chat.host")
local projects = require("codex-chat.project")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

local short = file.short
local uv = vim.uv

--- The project that the conversation goes on in.
---@param summary codex-chat.ThreadSummary
---@return codex-chat.Project
local function project_of(summary)
  local own = projects.of_buf()
  if not summary.root then
    say.info("the project of this conversation is unknown, so it continues in this one.")
    return own
  elseif summary.root == own.root then
    return own
  elseif not uv.fs_stat(summary.root) then
    say.info(
      ("its project %s is gone. You can read the text; sending needs that directory again."):format(
        short(summary.root)
      )
    )
  end
  return projects.at(summary.root)
end

--- Shows a conversation where one is in view, or else in a window of its own.
---@param path string
---@param project codex-chat.Project
local function show(path, project)
  local chats = require("codex-chat.chat")
  local window = require("codex-chat.ui.window")
  local shown = registry.get(0) or registry.current(projects.of_buf().root)
  local chat = chats.load(path, project)
  local win = shown and window.find(shown.buf)
  if win and shown ~= chat and not window.find(chat.buf) then
    vim.api.nvim_set_current_win(win)
    vim.api.nvim_win_set_buf(win, chat.buf)
    require("codex-chat.prompt").enter(chat, win)
  end
  chats.show(chat)
end

--- Opens a conversation, as a chat of the project that it belongs to.
---@param summary codex-chat.ThreadSummary
function M.open(summary)
  if file.chat_of(summary.path) then
    show(summary.path, projects.at(file.chat_of(summary.path).root))
    return
  end
  if not uv.fs_lstat(summary.path) then
    say.error(("%s is gone."):format(short(summary.path)))
    return
  end
  if not uv.fs_access(summary.path, "R") then
    -- Opened as an empty one, it would soon be overwritten.
    say.error(("%s cannot be read. `chmod u+r` fixes that."):format(short(summary.path)))
    return
  end
  local project = project_of(summary)
  if projects.is_locked(summary.path, host.pid()) then
    say.info(("“%s” is open in another Neovim, so this is a new one."):format(summary.name))
    show(projects.new_path(project), project)
    return
  end
  show(summary.path, project)
end

---@param task "archive"|"unarchive"|"delete"
---@param summary codex-chat.ThreadSummary
local function change(task, summary)
  client.change(task, summary, client.say_answer)
end

--- Puts a conversation aside, into `archive/` beside the others.
---@param summary codex-chat.ThreadSummary
function M.archive(summary)
  change("archive", summary)
end

--- Takes a conversation out of the archive.
---@param summary codex-chat.ThreadSummary
function M.unarchive(summary)
  change("unarchive", summary)
end

--- Deletes the file, and has Codex forget the thread, once that is confirmed.
---@param summary codex-chat.ThreadSummary
---@param force? boolean without a question
function M.delete(summary, force)
  local confirm = require("codex-chat.ui.confirm")
  local command = "CodexChat! delete"
  if force then
    change("delete", summary)
  elseif confirm.can_ask(command) then
    client.change("check", summary, function(answer, err)
      if err then
        say.error(err)
        return
      end
      confirm.ask({
        question = ("Delete “%s” and Codex's memory of it?"):format(answer.name),
        yes = "Delete",
        no = "Keep",
        kind = "codex-chat-delete",
        command = command,
      }, function()
        change("delete", summary)
      end)
    end)
  end
end

--- Asks what to do with it.
---@param summary codex-chat.ThreadSummary
function M.manage(summary)
  local choices = { "Open", "Rename", summary.archived and "Unarchive" or "Archive", "Delete" }
  local run = {
    Open = M.open,
    Rename = require("codex-chat.threads.rename").ask,
    Archive = M.archive,
    Unarchive = M.unarchive,
    Delete = M.delete,
  }
  vim.ui.select(choices, {
    prompt = ("What about “%s”?"):format(summary.name),
    kind = "codex-chat-thread-task",
  }, function(choice)
    if choice then
      run[choice](summary)
    end
  end)
end

return M
