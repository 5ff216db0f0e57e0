--- Reads a conversation again that another program has changed.
local M = {}

local document = require("codex-chat.buffer.document")
local format = require("codex-chat.format")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local text_of = require("codex-chat.chat.text")
local truth = require("codex-chat.disk.truth")

local api = vim.api

--- Replaces the buffer's text by the file's, which another program has changed. Refused if the buffer's
--- text no longer has this hash, or if the user is in the middle of a command.
---@param chat codex-chat.Chat
---@param hash string
---@return boolean
function M.reread(chat, hash)
  local buf = chat.buf
  local is_as_told = vim.fn.sha256(truth.text_of(buf)) == hash
  local lines, _, text = document.read(chat.path)
  if text and not text:find("%S") then
    -- The file is empty, perhaps just being written: keep the buffer.
    return false
  end
  if
    not is_as_told
    or require("codex-chat.buffer.defer_edits").is_busy(buf)
    or not lines
    or not text
  then
    return false
  end
  local prompt = require("codex-chat.buffer.blocks").prompt_row(chat)
  local in_prompt = vim.tbl_filter(function(win)
    return api.nvim_win_get_cursor(win)[1] > prompt
  end, registry.wins(buf))
  require("codex-chat.buffer.fold").clear(buf)
  if chat.head and not format.head(lines) then
    -- The other program has removed the front matter, which identifies the conversation.
    lines = format.with_kept(lines, chat.head)
  end
  local modifiable = vim.bo[buf].modifiable
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = modifiable
  truth.know(chat, text)
  text_of.load(chat)
  require("codex-chat.approval").clear(chat)
  require("codex-chat.ui.hint").show(chat)
  for _, win in ipairs(in_prompt) do
    require("codex-chat.prompt").show(chat, win)
  end
  if chat.host == "asked" or chat.host == "attached" then
    require("codex-chat.host").open(chat)
  end
  say.info(
    ("%s was changed by another program and was read again."):format(vim.fs.basename(chat.path))
  )
  return true
end

--- Finds out whether another program has changed the file, as when Neovim gets the focus.
---@param chat codex-chat.Chat
function M.check(chat)
  if chat.host == "attached" then
    require("codex-chat.host").notify(chat, "chat/save", {})
  elseif chat.host ~= "asked" and not chat.changed and truth.look(chat) == "other" then
    M.reread(chat, vim.fn.sha256(truth.text_of(chat.buf)))
  end
end

return M
