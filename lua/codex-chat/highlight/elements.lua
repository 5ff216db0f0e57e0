--- A conversation's own elements: who speaks, what was done, code and diffs, notices and questions.
---
--- The text stays the markdown that it is: marks are hidden by 'conceallevel', bars and marks of calls
--- stand in the sign column.
local M = {}

local calls = require("codex-chat.buffer.calls")
local diff = require("codex-chat.highlight.diff")
local format = require("codex-chat.format")
local painter = require("codex-chat.highlight.painter")
local syntax = require("codex-chat.highlight.syntax")

local api = vim.api

--- How far above a chunk the heading of a query is looked for; an answer needs none.
local reach = 100

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
  if format.role_of(painter.line_at(at, at.row + count)) == "codex" then
    count = trimmed(at)
  end
  painter.band(at, at.row, at.row + count, "CodexChatYouBand")
  for row = at.row, at.row + count - 1 do
    painter.sign(at, row, "▌", "CodexChatYou")
  end
end

--- The name of who speaks, without the marks of a heading and without the blank line below it.
---@param at codex-chat.Painter
---@param row integer
---@param line string
local function heading(at, row, line)
  local role = format.role_of(line)
  painter.conceal(at, row, 0, #"## ")
  painter.color(at, row, 0, #line, role == "user" and "CodexChatYou" or "CodexChatCodex", 130)
  local below = painter.line_at(at, row + 2)
  if painter.line_at(at, row + 1) == "" and below:find("%S") and not format.role_of(below) then
    painter.hide_line(at, row + 1)
  end
end

--- A call that is not folded: the same look as the text of its fold.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param call codex-chat.Call
local function call_line(at, row, line, call)
  local mark = calls.marks[call.kind]
  painter.sign(at, row, mark[1], mark[2])
  local stop = #call.verb + 4
  painter.conceal(at, row, 0, 2)
  painter.conceal(at, row, stop - 2, stop)
  local group = call.kind == "failed" and "CodexChatFailed"
    or call.kind == "asks" and "CodexChatAsks"
    or "CodexChatVerb"
  painter.color(at, row, 2, stop - 2, group)
  local pad = calls.verb_columns - #call.verb - 1
  if pad > 0 and call.kind ~= "asks" then
    api.nvim_buf_set_extmark(at.buf, at.ns, row, stop, {
      virt_text = { { (" "):rep(pad) } },
      virt_text_pos = "inline",
    })
  end
  for _, part in ipairs(call.about) do
    if part.group then
      -- The parser of a long chunk hides none.
      local ticks = #line:sub(1, part.first):match("`*$")
      painter.conceal(at, row, part.first - ticks, part.first)
      painter.conceal(at, row, part.last, part.last + #line:match("^`*", part.last + 1))
    end
    painter.color(at, row, part.first, part.last, part.group or "CodexChatVerb")
  end
  for _, part in ipairs(call.tail) do
    local dot = part.first + #" · "
    if part.is_hidden then
      painter.conceal(at, row, part.first, part.last)
    else
      painter.conceal(at, row, part.first, dot, " ")
      painter.color(at, row, part.first, part.last, part.group or "CodexChatMuted")
      local added, removed = line:sub(dot + 1, part.last):match("^(%+%d+)()")
      if added then
        painter.color(at, row, dot, removed + dot - 1, "CodexChatAdded", 125)
        painter.color(at, row, removed + dot - 1, part.last, "CodexChatRemoved", 125)
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
  if at.lines[count] == "" and calls.verb_of(painter.line_at(at, at.row + count)) then
    painter.hide_line(at, at.row + count - 1)
  end
  -- The chunk above has been painted before this one was there.
  local above = at.row - 1
  if painter.line_at(at, above) == "" and above > 0 then
    local first = require("codex-chat.highlight.chunks").start_of(at.buf, above)
    if first and calls.verb_of(painter.line_at(at, first)) then
      painter.hide_line(at, above)
    end
  end
end

--- Hides the details of a question that are just the command in its line: it is to be read once. Any
--- other details do not say the same. Where Neovim hides no lines, the command in the line is hidden, unless
--- it is wrapped, which would leave an empty row.
---@param at codex-chat.Painter
local function say_once(at)
  local call = calls.parse(at.lines[1])
  local words, command = call and call.about[1], call and call.about[2]
  if not call or not words or not command or #call.about > 2 or #call.tail > 0 then
    return
  end
  for n = 2, #at.lines - 2 do
    local fence = format.step(nil, at.lines[n])
    if fence then
      local _, closes = format.step(fence, at.lines[n + 2])
      if fence.kind == "output" and closes and at.lines[n + 1] == "$ " .. command.text then
        local room = require("codex-chat.buffer.columns").narrowest(at.buf, math.huge)
        if not painter.hide_line(at, at.row + n) and api.nvim_strwidth(at.lines[1]) <= room then
          local stop = words.first + #words.text:gsub("%s+$", "")
          painter.conceal(at, at.row, stop, #at.lines[1])
        end
      end
      return
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
  say_once(at)
  painter.band(at, at.row, at.row + count, "CodexChatAsksLine")
  for row = at.row + 1, at.row + count - 1 do
    painter.sign(at, row, "▌", "CodexChatAsks")
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
---@param is_asked boolean whether it is part of a question, which has a bar of its own
---@return string? group
local function quotation(at, row, line, group, is_asked)
  for _, notice in ipairs(notices) do
    local word = not group and line:match(notice[1])
    if word then
      group = notice[2]
      painter.conceal(at, row, 2, 4)
      painter.conceal(at, row, 4 + #word, 6 + #word)
    end
  end
  painter.conceal(at, row, 0, line:sub(2, 2) == " " and 2 or 1)
  local is_context = format.is_context_line(line)
  painter.color(
    at,
    row,
    0,
    #line,
    is_context and "CodexChatMuted" or group or "CodexChatMuted",
    110
  )
  if not is_context and not is_asked then
    painter.sign(at, row, "▎", group or "CodexChatMuted")
  end
  return group
end

--- The language that a fence names.
---@param line string
---@return string?
local function language_of(line)
  return line:match("^ *[`~]+ *([^%s`]+)")
end

--- The line that opens or closes code: hidden, but for the name of the language.
---@param at codex-chat.Painter
---@param row integer
---@param line string
---@param opened codex-chat.Fence? nil where it closes
---@param is_asked boolean whether the keys of a question may stand below the line
local function fence_line(at, row, line, opened, is_asked)
  local lang = opened and language_of(line)
  painter.conceal(at, row, 0, #line)
  painter.color(at, row, 0, #line, "CodexChatMuted")
  if not opened then
    -- Virtual lines below a hidden line are hidden with it.
    if not is_asked then
      painter.hide_line(at, row)
    end
  elseif opened.kind then
    -- Details of a call need no label. A closed fold that began with a hidden line would be hidden.
    if painter.line_at(at, row - 1) ~= "" then
      painter.hide_line(at, row)
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
    painter.conceal(at, row, 0, stop - 1)
  end
end

--- Highlights the elements in a run of lines.
---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param lines string[]
---@param fence codex-chat.Fence? that is open above
---@return boolean has_table
function M.paint(buf, ns, row, lines, fence)
  local at = { buf = buf, ns = ns, row = row, lines = lines }
  local front = row == 0 and format.front_matter_end(lines) or 0
  local place = { hunks = 0 } ---@type codex-chat.Diff
  local group, edge
  local code = fence and not fence.kind and row or nil
  local word ---@type string? the language of code that began in these lines
  local is_asked = false
  if front > 0 then
    for n = 1, front do
      painter.color(at, n - 1, 0, #lines[n], "CodexChatMuted", 130)
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
        code, place = not fence.kind and here or nil, { hunks = 0 }
        word = code and not fence.is_diff and language_of(line) or nil
      elseif code then
        if word then
          local inner = vim.list_slice(lines, code - row + 2, i - 1)
          syntax.paint(buf, ns, code + 1, inner, word)
        end
        painter.band(at, code, here + 1, "CodexChatCodeLine", 20)
        code = nil
      end
    elseif fence then
      if fence.is_diff then
        diff.line(at, here, line, place)
      elseif fence.kind and not is_asked then
        painter.color(at, here, 0, #line, "CodexChatMuted")
        painter.sign(at, here, "│", "CodexChatBorder")
      end
    elseif line:byte(1) == 62 then -- ">"
      group = quotation(at, here, line, group, is_asked)
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
    painter.band(at, code, row + #lines, "CodexChatCodeLine", 20)
  end
  return require("codex-chat.highlight.tables").paint(buf, ns, row, lines)
end

return M
