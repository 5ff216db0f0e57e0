--- A conversation's own elements: who speaks, what was done, code and diffs, notices and questions.
---
--- The text stays the markdown that it is: marks are hidden by 'conceallevel', bars and marks of calls
--- stand in the sign column.
local M = {}

local calls = require("codex-chat.buffer.calls")
local format = require("codex-chat.format")

local api = vim.api

--- Neovim 0.11 can hide whole lines.
local hides_lines = vim.fn.has("nvim-0.11") == 1
--- How far above a chunk the heading of a query is looked for; an answer needs none.
local reach = 100
--- The number of a diff's line, in a column of its own.
local line_number = "%5d "

---@class (exact) codex-chat.Painter
---@field buf integer
---@field ns integer
---@field row integer the first line's
---@field lines string[]

---@param at codex-chat.Painter
---@param row integer
---@param first integer 0-based, in bytes
---@param last integer exclusive
---@param group string
---@param priority? integer
local function color(at, row, first, last, group, priority)
  api.nvim_buf_set_extmark(at.buf, at.ns, row, first, {
    end_col = last,
    hl_group = group,
    priority = priority or 120,
    strict = false,
  })
end

---@param at codex-chat.Painter
---@param row integer
---@param first integer
---@param last integer exclusive
---@param char? string that is shown instead
local function conceal(at, row, first, last, char)
  if last > first then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, first, {
      end_col = last,
      conceal = char or "",
      priority = 130,
      strict = false,
    })
  end
end

--- Hides a line, where Neovim can.
---@param at codex-chat.Painter
---@param row integer
local function hide_line(at, row)
  if hides_lines then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, { conceal_lines = "" })
  end
end

--- A background to the window's edge. An extmark for each row: one over all rows would be cleared with
--- the chunk below, where it ends.
---@param at codex-chat.Painter
---@param first integer
---@param stop integer exclusive
---@param group string
---@param priority? integer
local function band(at, first, stop, group, priority)
  for row = first, stop - 1 do
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
      line_hl_group = group,
      priority = priority or 10,
    })
  end
end

---@param at codex-chat.Painter
---@param row integer
---@param text string of one column
---@param group string
local function sign(at, row, text, group)
  api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
    sign_text = text,
    sign_hl_group = group,
    priority = 20,
  })
end

---@param at codex-chat.Painter
---@param row integer
---@return string
local function line_at(at, row)
  local line = at.lines[row - at.row + 1]
  return line or row >= 0 and api.nvim_buf_get_lines(at.buf, row, row + 1, false)[1] or ""
end

--- Whether the lines belong to the user: to a query, or to the prompt.
---@param at codex-chat.Painter
---@return boolean
local function is_users(at)
  local role = format.role_of(at.lines[1])
  if role then
    return role == "user"
  end
  local above = api.nvim_buf_get_lines(at.buf, math.max(0, at.row - reach), at.row, false)
  for n = #above, 1, -1 do
    role = format.role_of(above[n])
    if role then
      return role == "user"
    end
  end
  return false
end

--- How many of the lines there are, without the blank ones at the end.
---@param at codex-chat.Painter
---@return integer
local function trimmed(at)
  local count = #at.lines
  while count > 1 and at.lines[count] == "" do
    count = count - 1
  end
  return count
end

--- The user's section: a bar, and a background down to the heading of the answer.
---@param at codex-chat.Painter
local function users(at)
  local count = #at.lines
  if format.role_of(line_at(at, at.row + count)) == "codex" then
    count = trimmed(at)
  end
  band(at, at.row, at.row + count, "CodexChatYouBand")
  for row = at.row, at.row + count - 1 do
    sign(at, row, "▌", "CodexChatYou")
  end
end

--- The name of who speaks, without the marks of a heading and without the blank line below it.
---@param at codex-chat.Painter
---@param row integer
---@param line string
local function heading(at, row, line)
  local role = format.role_of(line)
  conceal(at, row, 0, #"## ")
  color(at, row, 0, #line, role == "user" and "CodexChatYou" or "CodexChatCodex", 130)
  if line_at(at, row + 1) == "" and line_at(at, row + 2):find("%S") then
    hide_line(at, row + 1)
  end
end

--- A call that is not folded: the same look as the text of its fold.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param call codex-chat.Call
local function call_line(at, row, line, call)
  local mark = calls.marks[call.kind]
  sign(at, row, mark[1], mark[2])
  local stop = #call.verb + 4
  conceal(at, row, 0, 2)
  conceal(at, row, stop - 2, stop)
  local group = call.kind == "failed" and "CodexChatFailed"
    or call.kind == "asks" and "CodexChatAsks"
    or "CodexChatVerb"
  color(at, row, 2, stop - 2, group)
  local pad = calls.verb_columns - #call.verb - 1
  if pad > 0 and call.kind ~= "asks" then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, stop, {
      virt_text = { { (" "):rep(pad) } },
      virt_text_pos = "inline",
    })
  end
  for _, part in ipairs(call.about) do
    color(at, row, part.first, part.last, part.group or "CodexChatVerb")
  end
  for _, part in ipairs(call.tail) do
    local dot = part.first + #" · "
    if part.is_hidden then
      conceal(at, row, part.first, part.last)
    else
      conceal(at, row, part.first, dot, " ")
      color(at, row, part.first, part.last, part.group or "CodexChatMuted")
      local added, removed = line:sub(dot + 1, part.last):match("^(%+%d+)()")
      if added then
        color(at, row, dot, removed + dot - 1, "CodexChatAdded", 125)
        color(at, row, removed + dot - 1, part.last, "CodexChatRemoved", 125)
      end
    end
  end
end

--- Calls stand without blank lines between them.
---@param at codex-chat.Painter
local function close_up(at)
  local count = #at.lines
  if not calls.verb_of(at.lines[1]) then
    return
  end
  if at.lines[count] == "" and calls.verb_of(line_at(at, at.row + count)) then
    hide_line(at, at.row + count - 1)
  end
  -- The chunk above has been painted before this one was there.
  local above = at.row - 1
  if line_at(at, above) == "" and above > 0 then
    local first = require("codex-chat.highlight.chunks").start_of(at.buf, above)
    if first and calls.verb_of(line_at(at, first)) then
      hide_line(at, above)
    end
  end
end

--- What Codex asks stands on a background of its own, down to the end of its block.
---@param at codex-chat.Painter
---@return boolean asked
local function asks(at)
  local _, kind = calls.verb_of(at.lines[1])
  if kind ~= "asks" then
    return false
  end
  local count = trimmed(at)
  band(at, at.row, at.row + count, "CodexChatAsksLine")
  for row = at.row + 1, at.row + count - 1 do
    sign(at, row, "▌", "CodexChatAsks")
  end
  return true
end

local notices = {
  { "^> %*%*(Error:)%*%*", "CodexChatError" },
  { "^> %*%*(Note:)%*%* runs on your machine", "CodexChatWarning" },
  { "^> %*%*(Note:)%*%*", "CodexChatNote" },
  { "^> %*%*(Thinking)%*%*", "CodexChatThinking" },
  { "^> %*%*(Thought)%*%*", "CodexChatThinking" },
}

--- A line of a block quotation.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param group string? of the notice that the quotation is
---@return string? group
local function quotation(at, row, line, group)
  for _, notice in ipairs(notices) do
    local word = not group and line:match(notice[1])
    if word then
      group = notice[2]
      conceal(at, row, 2, 4)
      conceal(at, row, 4 + #word, 6 + #word)
    end
  end
  conceal(at, row, 0, line:sub(2, 2) == " " and 2 or 1)
  local is_context = format.is_context_line(line)
  color(at, row, 0, #line, is_context and "CodexChatMuted" or group or "CodexChatMuted", 110)
  if not is_context then
    sign(at, row, "▎", group or "CodexChatMuted")
  end
  return group
end

---@class (exact) codex-chat.Diff where a diff is, while its lines are painted
---@field old integer? the number of the next line before the change; nil where it is not known
---@field new integer?
---@field hunks integer

--- A line of a diff: its number, and the background of a change.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param diff codex-chat.Diff
local function diff_line(at, row, line, diff)
  local sort = line:sub(1, 1)
  if sort == "@" then
    local old, new = line:match("^@@ %-(%d+),?%d* %+(%d+)")
    diff.old, diff.new, diff.hunks = tonumber(old), tonumber(new), diff.hunks + 1
    color(at, row, 0, #line, "CodexChatHunk")
    if diff.hunks == 1 and old then
      hide_line(at, row)
    end
    return
  end
  local number = sort == "-" and diff.old or diff.new
  if sort == "+" then
    color(at, row, 0, #line, "CodexChatAdded")
    band(at, row, row + 1, "CodexChatAddedLine", 30)
  elseif sort == "-" then
    color(at, row, 0, #line, "CodexChatRemoved")
    band(at, row, row + 1, "CodexChatRemovedLine", 30)
  end
  if number and (sort == "+" or sort == "-" or sort == " " or line == "") then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
      virt_text = { { line_number:format(number), "CodexChatLineNr" } },
      virt_text_pos = "inline",
    })
    diff.old = diff.old + (sort == "+" and 0 or 1)
    diff.new = diff.new + (sort == "-" and 0 or 1)
  end
end

--- The line that opens or closes code: hidden, but for the name of the language.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param opened codex-chat.Fence? nil where it closes
---@param is_asked boolean whether the keys of a question may stand below the line
local function fence_line(at, row, line, opened, is_asked)
  local lang = opened and line:match("^ *[`~]+ *([^%s`]+)")
  conceal(at, row, 0, #line)
  color(at, row, 0, #line, "CodexChatMuted")
  if not opened then
    -- Virtual lines below a hidden line are hidden with it.
    if not is_asked then
      hide_line(at, row)
    end
  elseif opened.kind then
    -- Details of a call need no label. A closed fold that began with a hidden line would be hidden.
    if line_at(at, row - 1) ~= "" then
      hide_line(at, row)
    end
  elseif lang then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, 0, {
      virt_text = { { lang, "CodexChatCodeLabel" } },
      virt_text_pos = "overlay",
      hl_mode = "combine",
    })
  end
end

--- A heading of an answer's, without its marks.
---@param at codex-chat.Painter
---@param row integer
---@param line string
local function answer_heading(at, row, line)
  local stop = line:match("^#+ +()")
  if stop then
    conceal(at, row, 0, stop - 1)
  end
end

--- Highlights the elements in a run of lines.
---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param lines string[]
---@param fence codex-chat.Fence? that is open above
function M.paint(buf, ns, row, lines, fence)
  local at = { buf = buf, ns = ns, row = row, lines = lines }
  local front = row == 0 and format.front_matter_end(lines) or 0
  local diff = { hunks = 0 } ---@type codex-chat.Diff
  local group, edge
  local code = fence and not fence.kind and row or nil
  local is_asked = false
  if front > 0 then
    for n = 1, front do
      color(at, n - 1, 0, #lines[n], "CodexChatMuted", 130)
    end
  elseif not fence then
    if is_users(at) then
      users(at)
    else
      close_up(at)
      is_asked = asks(at)
    end
  end
  for i = front + 1, #lines do
    local line, here = lines[i], row + i - 1
    fence, edge = format.step(fence, line)
    if edge then
      fence_line(at, here, line, fence, is_asked)
      if fence then
        code, diff = not fence.kind and here or nil, { hunks = 0 }
      elseif code then
        band(at, code, here + 1, "CodexChatCodeLine", 20)
        code = nil
      end
    elseif fence then
      if fence.is_diff then
        diff_line(at, here, line, diff)
      elseif fence.kind and not is_asked then
        color(at, here, 0, #line, "CodexChatMuted")
        sign(at, here, "│", "CodexChatBorder")
      end
    elseif line:byte(1) == 62 then -- ">"
      group = quotation(at, here, line, group)
    else
      group = nil
      local call = calls.parse(line)
      if call then
        call_line(at, here, line, call)
      elseif format.role_of(line) then
        heading(at, here, line)
      else
        answer_heading(at, here, line)
      end
    end
  end
  if code then
    band(at, code, row + #lines, "CodexChatCodeLine", 20)
  end
  require("codex-chat.highlight.tables").paint(buf, ns, row, lines)
end

return M
