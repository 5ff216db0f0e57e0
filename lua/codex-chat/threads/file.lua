--- A conversation's file as something to work on: whether it may be had, and having it for oneself.
local M = {}

local host = require("codex-chat.host")
local projects = require("codex-chat.project")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

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

--- Whether another Neovim has it; then after a message.
---@param it codex-chat.ThreadSummary
---@param task string what was to be done
---@return boolean
function M.is_elsewhere(it, task)
  local elsewhere = projects.is_locked(it.path, host.pid())
  if elsewhere then
    say.error(
      ("“%s” is open in another Neovim, which writes it; %s it there."):format(it.name, task)
    )
  end
  return elsewhere
end

--- Whether the file is there and may be had; false after a message.
---@param it codex-chat.ThreadSummary
---@param task string what was to be done
---@return boolean
function M.is_free(it, task)
  local stat = uv.fs_lstat(it.path)
  if not stat then
    say.error(("%s is gone: there is nothing to %s."):format(M.short(it.path), task))
  elseif stat.type ~= "file" then
    say.error(("%s is no plain file any more."):format(M.short(it.path)))
  elseif M.is_busy(M.chat_of(it.path)) then
    say.error(
      ("a turn is running in “%s”. Wait for its end, or stop it with :CodexChat stop."):format(
        it.name
      )
    )
  else
    return not M.is_elsewhere(it, task)
  end
  return false
end

--- Takes the conversation out of this Neovim and has its file for `fn`, which gets what lets go of
--- it. What is in its windows goes with it.
---@param it codex-chat.ThreadSummary
---@param fn fun(release: fun())
function M.with_file(it, fn)
  local chat = M.chat_of(it.path)
  if M.is_busy(chat) then
    say.error(("a turn has begun in “%s”: nothing was done."):format(it.name))
    return
  end
  if chat then
    local buffer = require("codex-chat.chat.attach")
    if vim.api.nvim_buf_is_loaded(chat.buf) then
      require("codex-chat.chat.write").save(chat)
    end
    buffer.close(chat)
    require("codex-chat.ui.window").close(chat)
    pcall(vim.api.nvim_buf_delete, chat.buf, { force = true })
  end
  require("codex-chat.threads.lock").take(it.path, function(release, err)
    if not release then
      say.error(("“%s” is left as it is: %s."):format(it.name, err))
    elseif not uv.fs_lstat(it.path) then
      release()
      say.error(("%s is gone."):format(M.short(it.path)))
    else
      fn(release)
    end
  end)
end

return M
