--- Continues from an earlier place: forks, sends an edited query again, reverts.
local M = {}

local action = require("codex-chat.host.request")
local blocks = require("codex-chat.buffer.blocks")
local say = require("codex-chat.message")

local api = vim.api

--- The lines up to a row, as the beginning of a new conversation.
---@param chat codex-chat.Chat
---@param keep integer
---@param thread? string
---@return string[]
local function beginning(chat, keep, thread)
  local format = require("codex-chat.format")
  local lines = vim.tbl_filter(function(line)
    -- They are those of the old conversation.
    return not (line:match("^thread:") or line:match("^created:"))
  end, api.nvim_buf_get_lines(chat.buf, 0, math.min(keep, 100), false))
  vim.list_extend(lines, api.nvim_buf_get_lines(chat.buf, math.min(keep, 100), keep, false))
  local name = require("codex-chat.buffer.name").of(chat)
  local meta = {
    -- Two conversations of one name could not be distinguished in a list.
    name = name and name:gsub(" %(fork%)$", "") .. " (fork)",
    thread = thread,
    created = format.now(),
  }
  for _, change in ipairs(format.meta_changes(vim.list_slice(lines, 1, 100), meta)) do
    for _ = 1, change.count do
      table.remove(lines, change.row + 1)
    end
    for i = #change.lines, 1, -1 do
      table.insert(lines, change.row + 1, change.lines[i])
    end
  end
  while #lines > 0 and not lines[#lines]:find("%S") do
    lines[#lines] = nil
  end
  return lines
end

---@param path string the old conversation's
---@return string a path that is not in use
local function fork_path(path)
  local base = path:gsub("%.md$", ""):gsub("%-fork%-?%d*$", "") .. "-fork"
  local fresh, n = base .. ".md", 1
  while vim.uv.fs_lstat(fresh) or vim.fn.bufexists(fresh) == 1 do
    n = n + 1
    fresh = ("%s-%d.md"):format(base, n)
  end
  return fresh
end

--- Shows the new conversation, with the query in its prompt.
---@param chat codex-chat.Chat
---@param fork codex-chat.Fork
---@return codex-chat.Chat?
local function open_fork(chat, fork)
  local lines = beginning(chat, fork.keep, fork.thread)
  vim.list_extend(lines, { "", require("codex-chat.format").user_heading, "" })
  vim.list_extend(lines, vim.split(fork.query, "\n", { plain = true }))
  local path = fork_path(chat.path)
  local ok, err = require("codex-chat.buffer.document").write(path, lines)
  if not ok then
    say.error(("the new conversation was not written to %s: %s"):format(path, err))
    return nil
  end
  local chats = require("codex-chat.chat")
  local fresh = chats.load(path, require("codex-chat.project").at(chat.root))
  local window = require("codex-chat.ui.window")
  local win = window.find(chat.buf)
  if win then
    api.nvim_set_current_win(win)
    api.nvim_win_set_buf(win, fresh.buf)
    require("codex-chat.prompt").enter(fresh, win)
  end
  chats.show(fresh, { insert = false })
  return fresh
end

---@param count integer
---@return string
local function files_of(count)
  return count == 1 and "one file" or count .. " files"
end

--- Asks whether the files go back as well to where the new conversation begins.
---@param chat codex-chat.Chat the old one
---@param fork codex-chat.Fork
local function offer_files(chat, fork)
  if fork.files == 0 then
    return
  end
  local question = ("Codex has changed %s since then. Take those changes back as well?"):format(
    files_of(fork.files)
  )
  vim.ui.select(
    { "Leave the files as they are", "Take the changes back" },
    { prompt = question, kind = "codex-chat-fork-files" },
    function(_, index)
      if index == 2 then
        require("codex-chat.commands.changes.undo").since(chat, fork.keep)
      end
    end
  )
end

---@param chat codex-chat.Chat
---@return integer row 0-based, of the cursor in the chat's window; its last where it is not shown
local function cursor_row(chat)
  local win = api.nvim_get_current_win()
  if api.nvim_win_get_buf(win) ~= chat.buf then
    win = require("codex-chat.ui.window").find(chat.buf) --[[@as integer]]
  end
  return win and api.nvim_win_get_cursor(win)[1] - 1 or api.nvim_buf_line_count(chat.buf) - 1
end

--- Continues from the cursor in a new conversation: before the query under the cursor, with its text in
--- the prompt, or after the answer under the cursor.
---@param chat codex-chat.Chat
function M.fork(chat)
  action.run(chat, "thread/fork", { row = cursor_row(chat) }, function(fork, err)
    if err then
      say.error(err)
    elseif open_fork(chat, fork) then
      offer_files(chat, fork)
    end
  end)
end

--- Whether the cursor is in a query that was sent earlier.
---@param chat codex-chat.Chat
---@param row integer
---@return boolean
function M.in_sent_query(chat, row)
  if row >= blocks.prompt_row(chat) then
    return false
  end
  for at = row, math.max(0, row - 2000), -1 do
    local line = api.nvim_buf_get_lines(chat.buf, at, at + 1, false)[1]
    local role = require("codex-chat.format").role_of(line)
    if role then
      return role == "user"
    end
  end
  return false
end

--- The context line of a query, with the blank line above it.
---@param chat codex-chat.Chat
---@param first integer
---@param stop integer
---@return string[]
local function context_line_of(chat, first, stop)
  for row = stop - 1, first + 1, -1 do
    local line = api.nvim_buf_get_lines(chat.buf, row, row + 1, false)[1] or ""
    if line:find("%S") then
      return require("codex-chat.format").is_context_line(line) and { "", line } or {}
    end
  end
  return {}
end

--- Sends an edited earlier query in a new conversation that continues from there. The old conversation
--- gets its text back.
---@param chat codex-chat.Chat
---@param row integer 0-based, within the query
---@param send fun(chat: codex-chat.Chat) sends the new conversation's prompt
function M.resend(chat, row, send)
  action.run(chat, "thread/fork", { row = row }, function(fork, err)
    if err then
      say.error(err)
      return
    end
    if not fork.sent then
      return
    end
    local original = fork.sent.text
    if original == fork.query then
      say.info("this query is unchanged. Edit it and send it again, or continue below.")
      return
    end
    local fresh = open_fork(chat, fork)
    if not fresh then
      return
    end
    if original then
      blocks.machine(chat, function()
        local lines = vim.list_extend({ "" }, vim.split(original, "\n", { plain = true }))
        vim.list_extend(lines, context_line_of(chat, fork.sent.row, fork.sent["end"]))
        lines[#lines + 1] = ""
        blocks.splice(chat, fork.sent.row + 1, fork.sent["end"] - fork.sent.row - 1, lines)
      end)
    end
    send(fresh)
  end)
end

---@param chat codex-chat.Chat
---@param row integer 0-based
local function drop(chat, row)
  action.run(chat, "thread/revert", { row = row, confirmed = true }, function(done, err)
    if err then
      say.error(err)
      return
    end
    blocks.machine(chat, function()
      blocks.splice(chat, done.from, blocks.prompt_row(chat) - done.from, {})
    end)
    say.info(
      ("dropped. The earlier conversation is in %s."):format(vim.fn.fnamemodify(done.copy, ":~"))
    )
  end)
end

--- Drops everything after the cursor's turn from the thread and the document, once the user has agreed.
---@param chat codex-chat.Chat
function M.revert(chat)
  local row = cursor_row(chat)
  action.run(chat, "thread/revert", { row = row }, function(gone, err)
    if err then
      say.error(err)
      return
    end
    local choices = { "Drop", "Keep" }
    if gone.files > 0 then
      choices = { "Drop", "Drop, and take back their changes to " .. files_of(gone.files), "Keep" }
    end
    local question = ("Drop the %s after this one? A copy of the conversation is kept."):format(
      gone.turns == 1 and "turn" or gone.turns .. " turns"
    )
    vim.ui.select(
      choices,
      { prompt = question, kind = "codex-chat-revert" },
      function(choice, index)
        if choice == "Drop" then
          drop(chat, row)
        elseif index == 2 and gone.files > 0 then
          require("codex-chat.commands.changes.undo").since(chat, gone.from, function()
            drop(chat, row)
          end)
        end
      end
    )
  end)
end

return M
