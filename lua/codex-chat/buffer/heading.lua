--- Restores the prompt's heading, which any Vim command may break.
---
--- Two records say where it was. Its extmark (`blocks.heading`) is exact to the column: which text was
--- joined to it, and what is left of it. The row of the undo (`undo.heading`) is right even after a
--- formatter or a filter has rewritten all lines. Text below the heading, or typed into it, is the
--- user's and becomes the prompt's text. Restoring it belongs to the user's change and is not an undo
--- step.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local registry = require("codex-chat.registry")
local undo = require("codex-chat.buffer.undo")

local api = vim.api

local text = require("codex-chat.format").user_heading

M.is = require("codex-chat.format").is_prompt

---@param buf integer
---@param row integer
---@return string? line nil if there is none
local function line_at(buf, row)
  return row >= 0 and api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or nil
end

--- Whether all lines from `first` to before `stop` are blank.
---@param buf integer
---@param first integer
---@param stop integer
---@return boolean
local function is_blank(buf, first, stop)
  return not table.concat(api.nvim_buf_get_lines(buf, first, stop, false)):find("%S")
end

--- Replaces text; every cursor stays where it is in the text.
---@param buf integer
---@param from { [1]: integer, [2]: integer } row and column
---@param to { [1]: integer, [2]: integer }
---@param lines string[]
---@param own? integer the line that ends with the text before `to`
local function replace(buf, from, to, lines, own)
  local cursors = {}
  for _, win in ipairs(registry.wins(buf)) do
    local pos = api.nvim_win_get_cursor(win)
    local row, col = pos[1] - 1, pos[2]
    if row > to[1] then
      row = row + #lines - 1 - (to[1] - from[1])
    elseif row == to[1] and col >= to[2] then
      row = from[1] + #lines - 1
      col = col - to[2] + #lines[#lines] + (#lines == 1 and from[2] or 0)
    elseif own and row == to[1] and (row > from[1] or col > from[2]) then
      -- A paste that arrives in pieces continues here.
      row, col = from[1] + own - 1, math.max(0, #lines[own] - (to[2] - col))
    elseif row > from[1] or row == from[1] and col > from[2] then
      row, col = from[1] + #lines - 1, 0
    end
    cursors[win] = { row + 1, col }
  end
  api.nvim_buf_set_text(buf, from[1], from[2], to[1], to[2], lines)
  for win, pos in pairs(cursors) do
    if not vim.deep_equal(api.nvim_win_get_cursor(win), pos) then
      pcall(api.nvim_win_set_cursor, win, pos)
    end
  end
end

--- The text that was typed into the rest of the heading.
---@param left string
---@param broken "typed"|"changed"|nil
---@return string
local function typed_into(left, broken)
  local first, last = 0, 0
  while first < math.min(#left, #text) and left:byte(first + 1) == text:byte(first + 1) do
    first = first + 1
  end
  while last < math.min(#left, #text) - first and left:byte(-last - 1) == text:byte(-last - 1) do
    last = last + 1
  end
  -- A heading in which a command (`:s`, `r`) replaced a word is a broken heading, not text.
  local is_whole = first + last == #text
  local is_letter = #left == #text and first + last + 1 == #text
  if is_letter or broken ~= "typed" and not is_whole and first + last > 2 then
    return ""
  end
  return left:sub(first + 1, #left - last)
end

--- Where the heading was, and what is left of it.
---@param chat codex-chat.Chat
---@param row integer
---@return codex-chat.HeadingMark
local function place(chat, row)
  local mark, replaced = blocks.heading(chat)
  local is_joined = mark.row == row - 1 and (mark.col > 0 or mark.end_col > 0)
  if mark.row == row or is_joined then
    if replaced then
      -- The text in its place is the user's.
      mark.end_row, mark.end_col = mark.row, mark.col
    end
    return mark
  end
  return { row = row, col = 0, end_row = row, end_col = 0 }
end

--- The user's text in a broken heading, and where that ends.
---@param chat codex-chat.Chat
---@param at codex-chat.HeadingMark
---@param broken "typed"|"changed"|nil
---@return string[] own pieces of the user's text
---@return integer stop column at which these and the heading end
local function parts(chat, at, broken)
  local buf = chat.buf
  local before = (line_at(buf, at.row) or ""):sub(1, at.col)
  local last = line_at(buf, at.end_row) or ""
  local after = last:sub(at.end_col + 1)
  local left =
    table.concat(api.nvim_buf_get_text(buf, at.row, at.col, at.end_row, at.end_col, {}), "\n")
  if broken == "changed" and at.row == at.end_row and undo.kept_lines(buf) then
    -- A command changed the line and joined nothing to it.
    local own = typed_into(last, broken)
    return { own:find("[%w\128-\255]") and own or "" }, #last
  elseif at.row == at.end_row and typed_into(left, broken) == left then
    -- Nothing is left of the heading; a line in its place is all the user's.
    local is_line = before ~= "" or left ~= ""
    return { is_line and last or "" }, is_line and #last or at.end_col
  end
  -- A command that joins lines inserts a blank.
  local blank = broken == "changed" and #after:match("^ ?") or 0
  return { before, typed_into(left, broken) }, at.end_col + blank
end

--- Writes the heading where it was. Text that was joined to it or typed into it goes below.
---@param chat codex-chat.Chat
---@param row integer where it was
---@param broken "typed"|"changed"|nil
local function write(chat, row, broken)
  local buf = chat.buf
  local count = api.nvim_buf_line_count(buf)
  local at = place(chat, row)
  if at.row >= count then
    local last = line_at(buf, count - 1) or ""
    replace(buf, { count - 1, #last }, { count - 1, #last }, { "", "", text, "" })
    blocks.set_prompt(chat, count + 1)
    return
  end
  local before = (line_at(buf, at.row) or ""):sub(1, at.col)
  local from, to, lines, own = { at.row, 0 }, { at.end_row, at.end_col }, {}, {}
  if before:find("%S") and at.row < row then
    -- Joined to the line above it, without the blank that the command inserted.
    local whole = undo.before(buf, at.row)
    local is_blank_between = whole and vim.startswith(before, whole) and #before - #whole == 1
    from[2] = is_blank_between and #whole or #before
    to[2] = to[2]
      + (broken == "changed" and #(line_at(buf, to[1]) or ""):match("^ ?", to[2] + 1) or 0)
    lines = { "", "" }
  else
    if (line_at(buf, at.row - 1) or ""):find("%S") then
      lines[1] = ""
    end
    own, to[2] = parts(chat, at, broken)
  end
  lines[#lines + 1] = text
  local heading = at.row + #lines - 1
  for _, piece in ipairs(own) do
    if piece:find("%S") then
      vim.list_extend(lines, vim.split(piece, "\n", { plain = true }))
    end
  end
  local last_own = #lines > heading - at.row + 1 and #lines or nil
  local after = (line_at(buf, to[1]) or ""):sub(to[2] + 1)
  local is_nothing = from[2] == to[2] and from[1] == to[1]
  if after ~= "" or is_nothing or lines[#lines] == text and to[1] + 1 == count then
    lines[#lines + 1] = ""
  end
  replace(buf, from, to, lines, last_own)
  blocks.set_prompt(chat, heading)
end

--- Removes copies of the heading that a command put into the prompt, as `ddp` and `:t.` do: the text
--- above a copy would not be in the prompt when the file is read again. In a fence it is code.
---@param chat codex-chat.Chat
---@param row integer the heading's
local function drop_copies(chat, row)
  local buf = chat.buf
  local step = require("codex-chat.format").step
  local copies, fence = {}, nil
  for n, line in ipairs(api.nvim_buf_get_lines(buf, row + 1, -1, false)) do
    fence = step(fence, line)
    if not fence and M.is(line) then
      table.insert(copies, 1, { row + n, #line })
    end
  end
  for _, copy in ipairs(copies) do
    replace(buf, { copy[1] - 1, #line_at(buf, copy[1] - 1) }, copy, { "" })
  end
  blocks.set_prompt(chat, row)
end

--- Swaps the heading with the lines above it, which the user wrote there.
---@param chat codex-chat.Chat
---@param row integer the heading's
---@param above integer how many lines
local function raise(chat, row, above)
  local buf, top = chat.buf, row - above
  local lines = (line_at(buf, top - 1) or ""):find("%S") and { "", text, "" } or { text, "" }
  replace(buf, { top, 0 }, { top, 0 }, lines)
  row = row + #lines - 1
  replace(buf, { row, 0 }, { row + 1, 0 }, { "" })
  blocks.set_prompt(chat, top + #lines - 2)
end

--- The row of a complete heading in the place of the marked one, after a change.
---@param chat codex-chat.Chat
---@param row integer where it was
---@return integer?
local function found(chat, row)
  local buf = chat.buf
  local mark, replaced = blocks.heading(chat)
  if mark.col == 0 and M.is(line_at(buf, mark.row)) then
    return mark.row
  end
  if replaced then
    for at = mark.end_row, mark.row, -1 do
      if M.is(line_at(buf, at)) then
        return at
      end
    end
  end
  return M.is(line_at(buf, row)) and row or nil
end

--- Restores the heading if the user broke or moved it; the user's text stays, below it.
---@param chat codex-chat.Chat
function M.settle(chat)
  local buf = chat.buf
  if chat.settling or not api.nvim_buf_is_loaded(buf) then
    return
  end
  local tick = api.nvim_buf_get_changedtick(buf)
  if chat.settled == tick then
    return
  end
  local row, broken = undo.heading(buf)
  row = row or blocks.prompt_row(chat)
  local copied, above = undo.take_copied(buf), undo.take_above(buf)
  local mark = blocks.heading(chat)
  if not broken and row + 1 < api.nvim_buf_line_count(buf) and M.is(line_at(buf, row)) then
    if mark.row ~= row or mark.col ~= 0 then
      -- All lines were rewritten, and this is the same one.
      blocks.set_prompt(chat, row)
    end
    if not copied and above == 0 then
      chat.settled = tick
      return
    end
  end
  chat.settling = true
  local modifiable = vim.bo[buf].modifiable
  vim.bo[buf].modifiable = true
  local ok, err = xpcall(undo.amend, debug.traceback, buf, function()
    local at = found(chat, row)
    if at and at ~= row then
      local first, stop = math.min(at, row), math.max(at, row)
      if is_blank(buf, at < row and first + 1 or first, at < row and stop or stop) then
        row = at
      else
        -- It was moved: remove the line there and write it at its place.
        local gone = line_at(buf, at) --[[@as string]]
        if at + 1 < api.nvim_buf_line_count(buf) then
          replace(buf, { at, 0 }, { at + 1, 0 }, { "" })
        else
          replace(buf, { at - 1, #line_at(buf, at - 1) }, { at, #gone }, { "" })
        end
        row = at < row and row - 1 or row
        at = nil
      end
    end
    if at then
      blocks.set_prompt(chat, at)
    else
      write(chat, row, broken)
    end
    local top = blocks.prompt_row(chat) - above
    if above > 0 and not broken and not require("codex-chat.buffer.pending").reaches(chat, top) then
      raise(chat, top + above, above)
    end
    if copied then
      drop_copies(chat, blocks.prompt_row(chat))
    end
    at = blocks.prompt_row(chat)
    if at + 1 == api.nvim_buf_line_count(buf) then
      local last = #line_at(buf, at)
      api.nvim_buf_set_text(buf, at, last, at, last, { "", "" })
      blocks.set_prompt(chat, at)
    end
  end)
  vim.bo[buf].modifiable = modifiable
  vim.bo[buf].modified = false
  chat.settling = false
  if not ok then
    error(err, 0)
  end
end

--- After an undo or a redo: the heading is back at the row that it had then.
---@param buf integer
---@param row integer?
function M.follow(buf, row)
  local chat = registry.get(buf)
  if not chat then
    return
  end
  if row and M.is(line_at(buf, row)) then
    undo.machine(buf, function()
      blocks.set_prompt(chat, row)
    end)
  end
  M.settle(chat)
end

--- Restores the heading after each edit.
---@param chat codex-chat.Chat
function M.attach(chat)
  local function settle()
    -- In insert mode the user may still be typing where the heading was.
    if registry.get(chat.buf) == chat and not api.nvim_get_mode().mode:find("^[iRc]") then
      M.settle(chat)
    end
  end
  api.nvim_create_autocmd("TextChanged", {
    group = chat.augroup,
    buffer = chat.buf,
    callback = settle,
  })
  api.nvim_create_autocmd("SafeState", {
    group = chat.augroup,
    callback = function()
      if undo.is_unsettled(chat.buf) and api.nvim_get_current_buf() == chat.buf then
        settle()
      end
    end,
  })
end

undo.on_travel = M.follow

return M
