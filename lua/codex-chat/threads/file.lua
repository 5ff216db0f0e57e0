--- The conversation that a file is, where it is open here.
local M = {}

local registry = require("codex-chat.registry")

local uv = vim.uv

--- The path as the user writes it.
---@param path string
---@return string
function M.short(path)
  return vim.fn.fnamemodify(path, ":~")
end

--- The chat here that has this file.
---@param path string
---@return codex-chat.Chat?
function M.chat_of(path)
  local real = uv.fs_realpath(path) or path
  for _, chat in ipairs(registry.all()) do
    if chat.path == path or (uv.fs_realpath(chat.path) or chat.path) == real then
      return chat
    end
  end
end

---@param chat codex-chat.Chat?
---@return boolean
function M.is_busy(chat)
  return chat ~= nil and require("codex-chat.status").is_busy(chat.state.phase)
end

--- The conversation as what something is done with.
---@param chat codex-chat.Chat
---@return codex-chat.ThreadSummary
function M.summary_of(chat)
  local archived = vim.fs.basename(vim.fs.dirname(chat.path)) == "archive"
  return { path = chat.path, root = chat.root, archived = archived }
end

--- Saves a conversation and takes it out of this Neovim, with what is in its windows; false where a
--- turn runs in it.
---@param path string
---@return boolean
function M.let_go(path)
  local chat = M.chat_of(path)
  if M.is_busy(chat) then
    return false
  end
  if chat then
    if vim.api.nvim_buf_is_loaded(chat.buf) then
      require("codex-chat.chat.write").save(chat)
    end
    require("codex-chat.chat.attach").close(chat)
    require("codex-chat.ui.window").close(chat)
    pcall(vim.api.nvim_buf_delete, chat.buf, { force = true })
  end
  return true
end

return M
