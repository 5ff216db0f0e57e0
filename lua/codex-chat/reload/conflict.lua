--- A file that changed while its buffer has unsaved changes: the user chooses between both texts.
---
--- The buffer stays as it is until then, and a notice says so once for each change. None of the answers
--- loses text: `u` brings back the buffer as it was, and after "keep mine" CTRL-R shows the file's text.
local M = {}

local api = vim.api
local base = require("codex-chat.reload.base")
local calm = require("codex-chat.reload.calm")
local say = require("codex-chat.message")

---@class (exact) codex-chat.Conflict
---@field content codex-chat.Content what the file holds
---@field is_told? boolean

---@alias codex-chat.ConflictAnswer "mine"|"theirs"|"merge"

---@type table<integer, codex-chat.Conflict> by buffer
local pending = {}

---@param buf integer
---@return string
local function name_of(buf)
  return vim.fn.fnamemodify(api.nvim_buf_get_name(buf), ":.")
end

local function tell()
  local names = {}
  for buf, conflict in pairs(pending) do
    if not conflict.is_told then
      conflict.is_told = true
      names[#names + 1] = name_of(buf)
    end
  end
  table.sort(names)
  if #names > 0 then
    local more = #names > 1 and (" and %d more"):format(#names - 1) or ""
    say.warn(
      ("%s%s changed on disk, and you have unsaved changes there"):format(names[1], more),
      ". :CodexChat question shows both"
    )
  end
end

--- Notes that file and buffer have gone different ways, and tells the user at a calm moment.
---@param buf integer modified
---@param content codex-chat.Content
function M.raise(buf, content)
  local before = pending[buf]
  if before and require("codex-chat.reload.hunks").same(before.content.lines, content.lines) then
    before.content = content
    return
  end
  pending[buf] = { content = content }
  calm.run("tell", calm.is_idle, tell)
end

--- Forgets the buffer: it was written, read again, or unloaded.
---@param buf integer
function M.drop(buf)
  pending[buf] = nil
end

--- The buffer of a conflict, the current one if it has one.
---@return integer?
function M.next()
  local current = api.nvim_get_current_buf()
  return pending[current] and current or (next(pending))
end

---@param buf integer
---@return codex-chat.Conflict?
function M.of(buf)
  return pending[buf]
end

--- Both texts in one; nil where it is not known from which text they come.
---@param buf integer
---@return codex-chat.Merged?
function M.merged(buf)
  local from = base.lines(buf)
  if not from or not pending[buf] then
    return nil
  end
  local mine = api.nvim_buf_get_lines(buf, 0, -1, false)
  return require("codex-chat.reload.hunks").merge(from, mine, pending[buf].content.lines)
end

---@param buf integer
---@param content codex-chat.Content
---@param mine string[]
---@param wanted string[]
local function settle(buf, content, mine, wanted)
  local edit = require("codex-chat.reload.edit")
  local hunks = require("codex-chat.reload.hunks")
  edit.break_undo(buf)
  if hunks.same(wanted, mine) then
    -- The other text becomes a branch of the undo history.
    edit.apply(buf, mine, content.lines)
    edit.break_undo(buf)
    api.nvim_buf_call(buf, function()
      pcall(vim.cmd, "silent keepjumps undo")
    end)
  end
  local changed = edit.apply(buf, api.nvim_buf_get_lines(buf, 0, -1, false), wanted)
  edit.break_undo(buf)
  local done = require("codex-chat.reload.in_sync").take(buf, content)
  vim.bo[buf].modified = not (done and hunks.same(wanted, content.lines))
  base.set(buf, content)
  require("codex-chat.reload.flash").show(buf, changed)
end

--- Answers. The file is not written: that is the user's to do.
---@param buf integer
---@param answer codex-chat.ConflictAnswer
---@return boolean? done
---@return string? err
function M.answer(buf, answer)
  local conflict = pending[buf]
  if not conflict or not api.nvim_buf_is_loaded(buf) then
    return nil, "there is nothing left to choose."
  end
  local mine = api.nvim_buf_get_lines(buf, 0, -1, false)
  local wanted = mine
  if answer == "theirs" then
    wanted = conflict.content.lines
  elseif answer == "merge" then
    local merged = M.merged(buf)
    if not merged then
      return nil, "the text that both are based on is unknown."
    end
    wanted = merged.lines
  end
  pending[buf] = nil
  local ok, err = pcall(settle, buf, conflict.content, mine, wanted)
  if not ok then
    pending[buf] = conflict
    return nil, tostring(err)
  end
  return true
end

return M
