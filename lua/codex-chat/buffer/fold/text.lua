--- The text of a closed fold.
local M = {}

local calls = require("codex-chat.buffer.calls")
local format = require("codex-chat.format")

local api = vim.api

local nouns = {
  output = "line",
  arguments = "line of arguments",
  result = "line",
  hook = "line of output",
}

---@param count integer
---@param noun string
---@return string
local function counted(count, noun)
  return ("%d %s"):format(count, count == 1 and noun or noun:gsub("^line", "lines"))
end

--- The columns of the current window that text can stand in.
---@return integer
local function columns()
  local win = api.nvim_get_current_win()
  return api.nvim_win_get_width(win) - vim.fn.getwininfo(win)[1].textoff
end

--- How many lines stand in the last fence of a call's details. Of a command that is too long for its
--- line, the first lines are the command itself.
---@param row integer of the call, 0-based
---@param last integer
---@return string?
local function count_in(row, last)
  local lines = api.nvim_buf_get_lines(0, row + 1, last + 1, false)
  local fence, edge, opened, closed
  for n, line in ipairs(lines) do
    fence, edge = format.step(fence, line)
    if edge and fence then
      opened, closed = { row = n, kind = fence.kind }, nil
    elseif edge then
      closed = n
    end
  end
  if not opened then
    return nil
  end
  -- Of a failed command the last lines stand below the fold.
  local stop = closed or #lines + 1
  local inner = stop - opened.row - 1
  if not closed then
    local rest = api.nvim_buf_get_lines(0, last + 1, last + 4, false)
    for _, line in ipairs(rest) do
      if select(2, format.step(fence, line)) then
        break
      end
      inner = inner + 1
    end
  end
  return counted(inner, nouns[opened.kind] or "line")
end

--- "2026-03-14 09:26 · gpt-5.5 · engine", of the lines of a front matter.
---@param lines string[]
---@return string
local function about_conversation(lines)
  local value = {}
  for _, line in ipairs(lines) do
    local key, text = line:match("^(%l+): *(.-)%s*$")
    if key then
      value[key] = text:match('^"(.*)"$') or text
    end
  end
  local created = (value.created or ""):match("^(%d+%-%d+%-%d+T%d+:%d+)")
  local parts = {}
  parts[#parts + 1] = created and created:gsub("T", " ") or nil
  parts[#parts + 1] = value.model
  parts[#parts + 1] = value.project and vim.fs.basename(value.project)
  return table.concat(parts, " · ")
end

--- "… 2 more hunks", of the lines of a diff.
---@param lines string[]
---@return string
local function rest_of_diff(lines)
  local hunks = 0
  for _, line in ipairs(lines) do
    hunks = hunks + (line:find("^@@ ") and 1 or 0)
  end
  if hunks > 0 and lines[1]:find("^@@ ") then
    return ("… %d more hunk%s"):format(hunks, hunks == 1 and "" or "s")
  end
  return ("… %d more lines"):format(#lines - 1)
end

--- The text of the fold in 'foldtext'.
---@return table chunks text with highlights
function M.of()
  local first, last = vim.v.foldstart, vim.v.foldend
  local line = vim.fn.getline(first)
  local call = calls.parse(line)
  if call then
    return calls.chunks(call, count_in(first - 1, last - 1), columns())
  end
  -- Thoughts are folded with the line that says how long they took.
  local thought = line:match("^> (%*%*Thought%*%*.*)$")
  if thought then
    return { { (thought:gsub("%*%*", ""):gsub("\\(%p)", "%1")), "CodexChatFold" } }
  end
  if first == 1 and line:find("^%-%-%-") then
    return { { about_conversation(vim.fn.getline(first, last)), "CodexChatFold" } }
  end
  if line:sub(1, 1) == ">" then
    return { { counted(last - first + 1, "line"), "CodexChatFold" } }
  end
  if format.step(nil, line) then
    local kind = format.step(nil, line).kind
    return { { counted(last - first - 1, nouns[kind] or "line"), "CodexChatFold" } }
  end
  return { { rest_of_diff(vim.fn.getline(first, last)), "CodexChatFold" } }
end

return M
