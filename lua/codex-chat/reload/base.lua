--- Remembers the text that a buffer had when it was last in sync with its file.
---
--- Nothing is kept of an unmodified buffer but its file's stamp. When it becomes modified, the file still
--- has the text, and is read then.
local M = {}

local api = vim.api

--- A larger file is not merged.
local max_bytes = 4 * 1024 * 1024

---@class (exact) codex-chat.Base
---@field stamp? string the file's when it was in sync
---@field is_settled? boolean whether no later change can have the same stamp
---@field lines? string[] while the buffer is modified

---@type table<integer, codex-chat.Base>
local bases = {}

--- Whether the file is the one that the buffer was in sync with last.
---@param buf integer
---@param stamp? string
---@return boolean
function M.is_synced(buf, stamp)
  local base = bases[buf]
  return base ~= nil and stamp ~= nil and base.stamp == stamp and base.is_settled == true
end

--- Whether the file of the buffer has been seen.
---@param buf integer
---@return boolean
function M.is_known(buf)
  return bases[buf] ~= nil and bases[buf].stamp ~= nil
end

--- Whether the file seems to be the one that the buffer was in sync with last.
---@param buf integer
---@return boolean
function M.is_unchanged(buf)
  local stamp = require("codex-chat.reload.content").stamp(api.nvim_buf_get_name(buf))
  return M.is_known(buf) and bases[buf].stamp == stamp
end

--- The text of the buffer when it was in sync, where that is known.
---@param buf integer
---@return string[]?
function M.lines(buf)
  return bases[buf] and bases[buf].lines
end

--- Records that the buffer is in sync with its file, or that its user has chosen between both.
---@param buf integer
---@param content codex-chat.Content
function M.set(buf, content)
  local lines = vim.bo[buf].modified and content.lines or nil
  bases[buf] = { stamp = content.stamp, is_settled = content.is_settled, lines = lines }
end

--- Records that Neovim itself has just read or written the file.
---@param buf integer
function M.touched(buf)
  local name = api.nvim_buf_get_name(buf)
  if vim.bo[buf].buftype == "" and name ~= "" then
    bases[buf] = { stamp = require("codex-chat.reload.content").stamp(name) }
  end
end

---@param buf integer
function M.forget(buf)
  bases[buf] = nil
end

--- Keeps the text once the buffer is modified, and drops it when it is no more.
---@param buf integer
function M.modified_changed(buf)
  local base = bases[buf]
  if not base or not base.stamp then
    return
  end
  if not vim.bo[buf].modified then
    base.lines = nil
    return
  end
  if not base.lines then
    local content = require("codex-chat.reload.content").read(buf, max_bytes)
    base.lines = content and content.stamp == base.stamp and content.lines or nil
  end
end

return M
