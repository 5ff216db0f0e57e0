--- The comments of conversations. The host keeps them; this is what Lua knows of them.
local M = {}

local request = require("codex-chat.host.request")

---@type table<codex-chat.Chat, codex-chat.Comment[]>
local known = setmetatable({}, { __mode = "k" })
local count = 0

--- Reads a conversation's comments, once; `callback` may be called at once.
---@param chat codex-chat.Chat
---@param callback? fun(err: string?)
function M.load(chat, callback)
  callback = callback or function() end
  if known[chat] then
    callback()
    return
  end
  request.run(chat, "comments/list", {}, function(comments, err)
    if not err then
      known[chat] = known[chat] or comments
    end
    callback(err)
  end)
end

--- All comments of a conversation, in the order of their files and lines.
---@param chat codex-chat.Chat
---@return codex-chat.Comment[]
function M.all(chat)
  local list = vim.list_extend({}, known[chat] or {})
  table.sort(list, function(a, b)
    if a.path ~= b.path then
      return a.path < b.path
    end
    return a.first < b.first
  end)
  return list
end

--- The comments on a file.
---@param chat codex-chat.Chat
---@param path string
---@param side? "left"|"right" by default on both
---@return codex-chat.Comment[]
function M.of(chat, path, side)
  return vim.tbl_filter(function(comment)
    return comment.path == path and (side == nil or comment.side == side)
  end, known[chat] or {})
end

--- Whether any conversation has a comment on a file, and which.
---@param path string
---@return codex-chat.Chat[]
function M.chats_of(path)
  local found = {}
  for chat in pairs(known) do
    if #M.of(chat, path) > 0 then
      found[#found + 1] = chat
    end
  end
  return found
end

--- Gives the host the whole list.
---@param chat codex-chat.Chat
function M.save(chat)
  request.run(chat, "comments/set", { comments = M.all(chat) })
end

---@return string
function M.new_id()
  count = count + 1
  return ("%d-%d-%d"):format(os.time(), vim.uv.os_getpid(), count)
end

--- Adds a comment, or replaces the one with its id.
---@param chat codex-chat.Chat
---@param comment codex-chat.Comment
function M.put(chat, comment)
  local list = known[chat] or {}
  known[chat] = list
  for i, each in ipairs(list) do
    if each.id == comment.id then
      list[i] = comment
      M.save(chat)
      return
    end
  end
  list[#list + 1] = comment
  M.save(chat)
end

--- Removes a comment.
---@param chat codex-chat.Chat
---@param id string
function M.remove(chat, id)
  known[chat] = vim.tbl_filter(function(comment)
    return comment.id ~= id
  end, known[chat] or {})
  M.save(chat)
end

--- Removes all comments.
---@param chat codex-chat.Chat
function M.clear(chat)
  known[chat] = {}
  M.save(chat)
end

return M
