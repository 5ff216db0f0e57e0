--- Decides which text is the conversation's if its buffer and its file differ: remembers the text that
--- the file is known to have, and keeps copies of text that would be lost. The host decides for
--- conversations that it has open (src/session/document/document-file.ts); this is for the others.
local M = {}

local look = require("codex-chat.disk.look")

local api = vim.api

--- The largest file that is read, and the most copies of one conversation.
local max_bytes, max_copies = 64 * 1024 * 1024, 1000
--- A smaller draft, in bytes, may be deleted without a copy.
local few_bytes = 500

--- The text of a buffer in the form of a file.
---@param buf integer
---@return string
function M.text_of(buf)
  return table.concat(api.nvim_buf_get_lines(buf, 0, -1, false), "\n") .. "\n"
end

--- Remembers the text of the file, which was read or written here.
---@param chat codex-chat.Chat
---@param text string
---@param is_written? boolean
function M.know(chat, text, is_written)
  chat.known_text, chat.known_hashes, chat.has_written = text, {}, is_written
end

--- Forgets the text of the file, for a conversation that gets another file.
---@param chat codex-chat.Chat
function M.forget(chat)
  chat.known_text, chat.known_hashes, chat.has_written = nil, nil, nil
end

--- The host is about to write the text with this hash. Until then the file has the one before, whose
--- hash comes again if the write failed.
---@param chat codex-chat.Chat
---@param hash string
function M.host_writes(chat, hash)
  local hashes = chat.known_hashes or {}
  -- If Lua has written at the same time, the host asks before its second write.
  chat.has_written = chat.has_written and #hashes == 0 or nil
  chat.known_hashes = { hash, hash ~= hashes[2] and hashes[1] or nil }
end

--- Whether the text with this hash was read or written here, by Lua or by the host.
---@param chat codex-chat.Chat
---@param hash string
---@return boolean
function M.is_own(chat, hash)
  return vim.list_contains(chat.known_hashes or {}, hash)
    or chat.known_text ~= nil and vim.fn.sha256(chat.known_text) == hash
end

--- Whether Lua has written the text with this hash without the host's knowledge. Texts that were read
--- or written earlier do not count: git can restore them.
---@param chat codex-chat.Chat
---@param hash string
---@return boolean
function M.is_written(chat, hash)
  return chat.has_written == true and vim.fn.sha256(chat.known_text) == hash
end

--- Compares the file with the known text.
---@param chat codex-chat.Chat
---@return "known"|"absent"|"other"|"failed" found
---@return string? text the file's; for "failed" the reason
function M.look(chat)
  local text, err = look.read(chat.path, max_bytes)
  if not text then
    local _, _, code = look.lstat(chat.path)
    return code == "ENOENT" and "absent" or "failed", err
  end
  local is_known = text == chat.known_text or M.is_own(chat, vim.fn.sha256(text))
  return is_known and "known" or "other", text
end

--- Keeps a text in the directory `copies` beside the conversation.
---@param path string the conversation's file
---@param text string
---@return string? copy its path
---@return string? err
function M.keep(path, text)
  local base = vim.fs.dirname(path) .. "/copies/" .. vim.fs.basename(path):gsub("%.md$", "")
  for n = 1, max_copies do
    local copy = n == 1 and base .. ".md" or ("%s-%d.md"):format(base, n)
    local ok, err, code = require("codex-chat.disk.change").write_new(copy, text)
    if ok then
      return copy
    elseif code ~= "EEXIST" then
      return nil, err
    end
  end
  return nil, ("there are too many copies in %s: remove some"):format(vim.fs.dirname(base))
end

--- The command that shows a copy beside the conversation.
---@param copy string
---@return string
function M.compare(copy)
  return ":vertical diffsplit " .. vim.fn.fnameescape(copy)
end

--- Whether most of a conversation would be lost: all its answers, or more than half of the text. The
--- host has the same rule (src/chat/file/loss.ts).
---@param before string
---@param after string
---@return boolean
function M.loses_much(before, after)
  local format = require("codex-chat.format")
  if format.has_answer(before) and not format.has_answer(after) then
    return true
  end
  return #before - #after >= few_bytes and #after * 2 < #before
end

return M
