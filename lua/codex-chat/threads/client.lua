--- Asks the host about the list of conversations. The host reads and searches them and changes their
--- files; Lua only shows them.
local M = {}

local registry = require("codex-chat.registry")

--- How many lines of an open conversation the host is given: its first query stands in them.
local head_lines = 300

---@class (exact) codex-chat.ThreadSummary
---@field path string
---@field root string? the project's directory; nil where it is not known
---@field thread string?
---@field name string? the user's name for it, else its first query, else the file's name
---@field archived boolean
---@field label string? its line in a menu

---@type table<integer, codex-chat.ThreadSummary[]> what has come of lists, by the id of the request
local pages = {}

--- Where the user is, and where conversations lie.
---@param all boolean of all projects
---@return table
local function where(all)
  local config = require("codex-chat.config").get()
  local project = require("codex-chat.project").of_buf()
  return {
    state_dir = config.state_dir,
    root = project.root,
    chats = project.chats,
    history = config.history_dir and vim.fn.expand(config.history_dir) or nil,
    all = all,
  }
end

---@param chat codex-chat.Chat
---@return string
local function head_of(chat)
  return table.concat(vim.api.nvim_buf_get_lines(chat.buf, 0, head_lines, false), "\n")
end

--- Lists conversations, the one written last first. Of several calls only the last is answered.
---@param wanted { all: boolean, archived: boolean }
---@param done fun(found: codex-chat.ThreadSummary[], problems: string[])
---@param failed fun(err: string)
function M.list(wanted, done, failed)
  local open = {}
  for _, chat in ipairs(registry.all()) do
    if vim.api.nvim_buf_is_loaded(chat.buf) then
      open[#open + 1] = { path = chat.path, head = head_of(chat) }
    end
  end
  local id
  id = require("codex-chat.host.request").ask("threads/list", {
    where = where(wanted.all),
    archived = wanted.archived,
    open = open,
  }, function(answer, err)
    local found = pages[id] or {}
    pages[id] = nil
    if err then
      failed(err)
    elseif not answer.is_over then
      done(found, answer.problems)
    end
  end)
end

--- Conversations of a list have come.
---@param id integer
---@param threads codex-chat.ThreadSummary[]
function M.page(id, threads)
  pages[id] = vim.list_extend(pages[id] or {}, threads)
end

--- Finds a text. Of several calls only the last is answered.
---@param text string
---@param all boolean
---@param done fun(answer: { hits: table[], problems: string[], is_cut: boolean })
---@param failed fun(err: string)
function M.search(text, all, done, failed)
  local params = { where = where(all), text = text }
  require("codex-chat.host.request").ask("threads/search", params, function(answer, err)
    if err then
      failed(err)
    elseif not answer.is_over then
      done(answer)
    end
  end)
end

--- Has the host do something with a conversation; `done` gets what it says, or why it was not done.
---@param task "check"|"rename"|"archive"|"unarchive"|"delete"
---@param summary codex-chat.ThreadSummary
---@param done fun(answer: { name: string, message: string }?, err: string?)
---@param new_name? string
function M.change(task, summary, done, new_name)
  local file = require("codex-chat.threads.file")
  local chat = file.chat_of(summary.path)
  local open = chat
    and vim.api.nvim_buf_is_loaded(chat.buf)
    and { busy = file.is_busy(chat), head = head_of(chat) }
  require("codex-chat.host.request").ask("threads/change", {
    task = task,
    state_dir = require("codex-chat.config").get().state_dir,
    path = summary.path,
    root = summary.root,
    thread = summary.thread,
    name = summary.name,
    archived = summary.archived or false,
    open = open or nil,
    new_name = new_name,
  }, done)
end

--- Says what came of a change, or why it was not done.
---@param answer { name: string, message: string }?
---@param err string?
function M.say_answer(answer, err)
  local say = require("codex-chat.message")
  if err then
    say.error(err)
  else
    say.info(assert(answer).message)
  end
end

return M
