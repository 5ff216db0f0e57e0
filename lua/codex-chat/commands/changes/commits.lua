--- `:CodexChat commits`: the commits of a conversation, from `refs/codex/…` of the real repository.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

--- Shows text that is in no file; without a file type, so that no file type plugin runs on it.
---@param name string
---@param text string
local function show(name, text)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(text, "\n", { trimempty = true }))
  vim.bo[buf].bufhidden = "wipe"
  vim.bo[buf].modifiable = false
  require("codex-chat.outside.runtime").set_syntax(buf, "git")
  pcall(vim.api.nvim_buf_set_name, buf, "codex-chat://" .. name)
  local pages = require("codex-chat.ui.page")
  local origin = pages.origin()
  vim.cmd("botright split")
  vim.api.nvim_win_set_buf(0, buf)
  pages.closes(buf, origin)
end

--- Lists the conversation's commits; `callback` is not called if there are none.
---@param chat codex-chat.Chat
---@param callback fun(commits: codex-chat.Commit[])
local function list(chat, callback)
  action.run(chat, "commits/list", {}, function(commits, err)
    if err then
      say.error(err)
    elseif #commits == 0 then
      say.info("Codex has committed nothing in this conversation.")
    else
      callback(commits)
    end
  end)
end

--- Asks which commit, and shows it as `git show` does.
---@param chat codex-chat.Chat
local function pick(chat)
  list(chat, function(commits)
    vim.ui.select(commits, {
      prompt = "Show which commit?",
      kind = "codex-chat-commit",
      ---@param commit codex-chat.Commit
      format_item = function(commit)
        local taken = commit.isTaken and " (yours)" or ""
        return ("%s %s%s"):format(commit.oid:sub(1, 8), (commit.subject:gsub("%c", " ")), taken)
      end,
    }, function(picked)
      if not picked then
        return
      end
      action.run(chat, "commits/show", { oid = picked.oid }, function(text, err)
        if err then
          say.error(err)
        else
          show("commit/" .. picked.oid:sub(1, 12), text)
        end
      end)
    end)
  end)
end

--- Copies the ref, for git on the command line; asks which if there are several.
---@param chat codex-chat.Chat
local function copy(chat)
  ---@param ref string?
  local function copy_ref(ref)
    if ref then
      require("codex-chat.outside.programs").copy(ref)
      say.info("copied " .. ref)
    end
  end
  list(chat, function(commits)
    local refs = {}
    for _, commit in ipairs(commits) do
      if not vim.list_contains(refs, commit.ref) then
        table.insert(refs, commit.ref)
      end
    end
    if #refs == 1 then
      copy_ref(refs[1])
    else
      vim.ui.select(refs, { prompt = "Copy which ref?", kind = "codex-chat-commit" }, copy_ref)
    end
  end)
end

--- Shows the log of all commits.
---@param chat codex-chat.Chat
local function log(chat)
  action.run(chat, "commits/log", {}, function(text, err)
    if err then
      say.error(err)
    elseif text == "" then
      say.info("Codex has committed nothing in this conversation.")
    else
      show("commits", text)
    end
  end)
end

local tasks = { [""] = pick, copy = copy, log = log }

--- `:CodexChat commits`
---@param chat codex-chat.Chat
---@param what string
function M.run(chat, what)
  local task = tasks[what]
  if task then
    task(chat)
  else
    say.error("`:CodexChat commits` takes copy or log, or nothing.")
  end
end

return M
