--- Gives a buffer other lines by the smallest edits, as one undo step.
---
--- Marks, extmarks, folds, cursors and views of all windows follow their lines; language servers and
--- treesitter hear of these edits alone.
local M = {}

local api = vim.api

--- Every edit costs a language client a pass over the whole text. Beyond this, a hunk is replaced as a
--- whole, and then all lines from the first hunk to the last.
local max_edits = 400

---@class (exact) codex-chat.LineEdit
---@field row integer 0-based, in the buffer as it was
---@field count integer lines that go; 0 with `col` set
---@field lines string[]
---@field col? integer an edit within the line `row`: its first byte
---@field end_col? integer

---@param text string
---@param pos integer 1-based
---@return boolean whether the byte continues a character
local function continues(text, pos)
  local byte = text:byte(pos)
  return byte ~= nil and byte >= 128 and byte <= 191
end

--- The edit from one line to another, without what both begin and end with.
---@param row integer
---@param old string
---@param new string
---@return codex-chat.LineEdit?
local function within(row, old, new)
  if old == new then
    return nil
  end
  local shorter = math.min(#old, #new)
  local head = 0
  while head < shorter and old:byte(head + 1) == new:byte(head + 1) do
    head = head + 1
  end
  while head > 0 and (continues(old, head + 1) or continues(new, head + 1)) do
    head = head - 1
  end
  local tail = 0
  while tail < shorter - head and old:byte(-tail - 1) == new:byte(-tail - 1) do
    tail = tail + 1
  end
  while tail > 0 and (continues(old, #old - tail + 1) or continues(new, #new - tail + 1)) do
    tail = tail - 1
  end
  return {
    row = row,
    count = 0,
    lines = { new:sub(head + 1, #new - tail) },
    col = head,
    end_col = #old - tail,
  }
end

---@param lines string[]
---@param first integer
---@param stop integer
---@return string[]
local function slice(lines, first, stop)
  return vim.list_slice(lines, first + 1, stop)
end

--- The edits, from top to bottom.
---@param old string[]
---@param new string[]
---@param hunks codex-chat.LineHunk[]
---@return codex-chat.LineEdit[]
local function edits_of(old, new, hunks)
  local edits = {}
  for _, hunk in ipairs(hunks) do
    local paired = math.min(hunk.old_count, hunk.new_count)
    for i = 0, paired - 1 do
      if #edits > max_edits then
        break
      end
      edits[#edits + 1] = within(hunk.old + i, old[hunk.old + i + 1], new[hunk.new + i + 1])
    end
    if hunk.old_count ~= hunk.new_count then
      edits[#edits + 1] = {
        row = hunk.old + paired,
        count = hunk.old_count - paired,
        lines = slice(new, hunk.new + paired, hunk.new + hunk.new_count),
      }
    end
  end
  if #edits <= max_edits then
    return edits
  end
  if #hunks > max_edits then
    local first, last = hunks[1], hunks[#hunks]
    hunks = {
      {
        old = first.old,
        old_count = last.old + last.old_count - first.old,
        new = first.new,
        new_count = last.new + last.new_count - first.new,
      },
    }
  end
  return vim.tbl_map(function(hunk)
    local lines = slice(new, hunk.new, hunk.new + hunk.new_count)
    return { row = hunk.old, count = hunk.old_count, lines = lines }
  end, hunks)
end

---@type fun()? what `M.run` is to do
local pending

--- Does the edits. Called by `M.apply`.
function M.run()
  if pending then
    pending()
  end
end

--- Ends the open undo step, so that what follows is a step of its own.
---@param buf integer
function M.break_undo(buf)
  api.nvim_buf_call(buf, function()
    vim.cmd("noautocmd let &l:undolevels = &l:undolevels")
  end)
end

---@param buf integer
---@param edits codex-chat.LineEdit[]
local function perform(buf, edits)
  -- From bottom to top, so that the rows above stay true.
  for i = #edits, 1, -1 do
    local edit = edits[i]
    if edit.col then
      api.nvim_buf_set_text(buf, edit.row, edit.col, edit.row, edit.end_col, edit.lines)
    else
      api.nvim_buf_set_lines(buf, edit.row, edit.row + edit.count, true, edit.lines)
    end
  end
end

--- Changes the buffer's lines. Edits that follow in the same tick join the undo step.
---
--- The changelist and the jumplist get no entry, and no autocommand hears of the options that are set
--- meanwhile. Raises what Neovim raises where text must not change, and has then changed nothing.
---@param buf integer
---@param old string[] its lines
---@param new string[]
---@return { [1]: integer, [2]: integer }[] rows that are new: first and count, 0-based
function M.apply(buf, old, new)
  local hunks, edits
  -- An empty file is not one empty line, though both look the same in a buffer.
  local is_empty = #old == 1
    and old[1] == ""
    and api.nvim_buf_call(buf, vim.fn.wordcount).bytes == 0
  if is_empty and #new == 0 then
    return {}
  elseif #new == 0 then
    hunks = { { old = 0, old_count = #old, new = 0, new_count = 0 } }
    edits = { { row = 0, count = #old, lines = {} } }
  elseif is_empty then
    hunks = { { old = 0, old_count = 1, new = 0, new_count = #new } }
    -- The last comes first.
    edits = { { row = #new, count = 1, lines = {} }, { row = 0, count = 0, lines = new } }
  else
    hunks = require("codex-chat.reload.hunks").paired(old, new)
    edits = edits_of(old, new, hunks)
  end
  if #edits == 0 then
    return {}
  end
  local bo = vim.bo[buf]
  local failed
  pending = function()
    local modifiable, readonly = bo.modifiable, bo.readonly
    -- 'readonly' would warn, for a second.
    bo.modifiable, bo.readonly = true, false
    -- An undo back to what the buffer is now must not say that it is in the file.
    bo.modified = true
    local ok, err = pcall(perform, buf, edits)
    failed = not ok and err or nil
    bo.modifiable, bo.readonly = modifiable, readonly
  end
  vim.cmd("keepjumps noautocmd lua require('codex-chat.reload.edit').run()")
  pending = nil
  if failed then
    error(failed, 0)
  end
  return vim.tbl_map(function(hunk)
    return { hunk.new, hunk.new_count }
  end, hunks)
end

return M
