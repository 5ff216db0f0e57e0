--- Sends the comments as one query, and moves the baseline up to here.
local M = {}

local draw = require("codex-chat.review.comments.draw")
local registry = require("codex-chat.registry")
local request = require("codex-chat.host.request")
local say = require("codex-chat.message")
local store = require("codex-chat.review.comments.store")
local text = require("codex-chat.review.text")

local api = vim.api

--- Whether a comment's code is still in its file.
---@param comment codex-chat.Comment
---@return boolean
local function is_there(comment)
  if comment.side == "left" or #comment.code == 0 then
    return true
  end
  local buf = registry.find_name(comment.path)
  if buf and api.nvim_buf_is_loaded(buf) then
    return draw.find(buf, comment) ~= nil
  end
  local bytes = require("codex-chat.disk.look").read(comment.path, text.max_bytes)
  if not bytes then
    return false
  end
  local lines = text.lines(bytes, text.form_of())
  local wanted = table.concat(comment.code, "\n") .. "\n"
  return (table.concat(lines, "\n") .. "\n"):find(wanted, 1, true) ~= nil
end

---@param comment codex-chat.Comment
---@param root string
---@return string
local function place(comment, root)
  local part = require("codex-chat.context.part")
  local name = part.code(text.relative(comment.path, root))
  if comment.first == 0 then
    return name .. ":"
  end
  local lines = comment.first == comment.last and ("line %d"):format(comment.first)
    or ("lines %d-%d"):format(comment.first, comment.last)
  local note = ""
  if comment.side == "left" then
    note = ", as it was before your change"
  elseif not is_there(comment) then
    note = " (these lines have changed since)"
  end
  return ("%s, %s%s:"):format(name, lines, note)
end

--- All comments as one text for the prompt.
---@param comments codex-chat.Comment[]
---@param root string
---@return string[]
function M.compose(comments, root)
  local lines = {}
  for i, comment in ipairs(comments) do
    if i > 1 then
      vim.list_extend(lines, { "", "" })
      lines[#lines] = nil
    end
    vim.list_extend(lines, { place(comment, root), "" })
    if #comment.code > 0 then
      local ticks = require("codex-chat.format").fence_for(comment.code)
      local filetype = text.filetype(comment.path, comment.code):match("^[%w_+-]*")
      lines[#lines + 1] = ticks .. filetype
      vim.list_extend(lines, comment.code)
      vim.list_extend(lines, { ticks, "" })
    end
    vim.list_extend(lines, vim.split(comment.text, "\n", { plain = true }))
  end
  return lines
end

---@param list table[] of `changes/accept`
---@return string? name of a file with unsaved changes
local function unsaved(list)
  for _, file in ipairs(list) do
    local buf = registry.find_name(file.path)
    if buf and api.nvim_buf_is_loaded(buf) and vim.bo[buf].modified then
      return vim.fn.fnamemodify(file.path, ":.")
    end
  end
end

---@param chat codex-chat.Chat
---@param left string
---@param list table[]
local function accept(chat, left, list)
  if #list == 0 then
    return
  end
  request.run(chat, "changes/accept", { left = left, files = list }, function(_, err)
    if err then
      say.warn("the comments were sent, and the changes stay in the review: " .. err)
    end
  end)
end

--- Puts the comments into the prompt and sends it. Once it is sent, they are removed and what has not
--- been put back is accepted; if it is not sent, they stay.
---@param chat codex-chat.Chat
---@param left string
---@param files codex-chat.ReviewFile[]
---@param callback fun() called once the query is sent
local function send(chat, left, files, callback)
  local list = {}
  for _, file in ipairs(files) do
    if not file.done then
      list[#list + 1] = { path = file.path }
    end
  end
  local dirty = unsaved(list)
  if dirty then
    say.error(("nothing was sent: %s has unsaved changes. `:wa` saves them."):format(dirty))
    return
  end
  local prompt = require("codex-chat.prompt")
  local typed = prompt.text(chat)
  local words = M.compose(store.all(chat), chat.root)
  local added = table.concat(words, "\n")
  -- After a try that sent nothing the comments are in the prompt already.
  if not vim.endswith(typed, added) then
    prompt.add(chat, words)
  end
  local off
  off = require("codex-chat.events").on("QuerySent", function(data)
    if data.buf ~= chat.buf or not vim.endswith(data.text, added) then
      return
    end
    off()
    store.clear(chat)
    accept(chat, left, list)
    callback()
  end)
  prompt.send_text(chat, prompt.text(chat))
end

--- Sends the comments of a conversation.
---@param chat codex-chat.Chat
---@param callback fun()
function M.send(chat, callback)
  local review = require("codex-chat.review.state").current
  if not api.nvim_buf_is_loaded(chat.buf) then
    say.error("nothing was sent: the conversation is closed. `:CodexChat` opens it again.")
    return
  end
  draw.sync_all(chat)
  store.load(chat, function(err)
    if err then
      say.error(err)
      return
    elseif #store.all(chat) == 0 then
      say.info("there are no comments to send.")
      return
    end
    if review and review.chat == chat then
      send(chat, review.left, review.files, callback)
      return
    end
    require("codex-chat.review.files").list(chat, { since = "all" }, function(changes, why)
      if why then
        say.error(why)
      else
        local files = require("codex-chat.review.files").of(chat, changes)
        send(chat, changes.left, files, callback)
      end
    end)
  end)
end

return M
