--- The line of a thing that Codex did, such as "**Ran** `ls` · exit 0 · 0.1 s": a mark, a verb, what it
--- is about, and what came of it.
local M = {}

---@alias codex-chat.CallKind "done"|"changed"|"failed"|"running"|"asks"

--- The verbs with which such a line begins; all others, as in "**Answer**", begin something else.
--- src/chat/items writes them.
---@type table<string, codex-chat.CallKind>
local kinds = {}
local verbs = {
  done = "Ran Called Searched Opened Looked Viewed Drew Started Resumed Waited Told Closed Listed",
  changed = "Edited Added Deleted Moved Changed",
  failed = "Failed Declined Stopped Interrupted",
  running = "Running Calling Searching Opening Looking Viewing Drawing Starting Resuming Waiting "
    .. "Telling Closing Listing Interrupting Editing Adding Deleting Moving Changing",
  asks = "Asks",
}
for kind, words in pairs(verbs) do
  for verb in words:gmatch("%a+") do
    kinds[verb] = kind
  end
end

--- The mark of each kind, of one column, and its group.
---@type table<codex-chat.CallKind, { [1]: string, [2]: string }>
M.marks = {
  done = { "✔", "CodexChatDone" },
  changed = { "●", "CodexChatChanged" },
  failed = { "✘", "CodexChatFailed" },
  running = { "◌", "CodexChatRunning" },
  asks = { "▌", "CodexChatAsks" },
}

--- A piece of the line; columns are bytes, 0-based, the last one exclusive.
---@class (exact) codex-chat.CallPart
---@field first integer
---@field last integer
---@field text string
---@field group? string
---@field is_hidden? true

---@class (exact) codex-chat.Call
---@field verb string
---@field kind codex-chat.CallKind
---@field about codex-chat.CallPart[] words and code, up to the first dot
---@field tail codex-chat.CallPart[] what came of it, without the dots
---@field seconds? integer how long it took, if that was a second or more

--- Where the run of backticks begins that closes a code span: one of just the same length.
---@param line string
---@param from integer 1-based
---@param length integer
---@return integer?
local function closing(line, from, length)
  while true do
    local first, last = line:find("`+", from)
    if not first or last - first + 1 == length then
      return first
    end
    from = last + 1
  end
end

--- Splits the text at its code spans. A dot within one is part of it.
---@param line string
---@param at integer 1-based
---@return codex-chat.CallPart[] about
---@return integer stop where the first dot outside of code begins, or the end; 1-based
local function about(line, at)
  local parts = {}
  while at <= #line do
    local tick = line:find("`", at, true)
    local dot = line:find(" · ", at, true)
    if dot and (not tick or dot < tick) then
      if dot > at then
        parts[#parts + 1] = { first = at - 1, last = dot - 1, text = line:sub(at, dot - 1) }
      end
      return parts, dot
    elseif not tick then
      break
    end
    if tick > at then
      parts[#parts + 1] = { first = at - 1, last = tick - 1, text = line:sub(at, tick - 1) }
    end
    local run = line:match("^`+", tick)
    local inner = tick + #run
    local close = closing(line, inner, #run)
    local stop = close and close - 1 or #line
    local text = line:sub(inner, stop)
    -- CommonMark drops one blank at each end, which keeps a backtick off the marks.
    text = text:match("^ (.*%S.*) $") or text
    parts[#parts + 1] = { first = inner - 1, last = stop, text = text, group = "CodexChatCommand" }
    at = (close or #line) + #run
  end
  if at <= #line then
    parts[#parts + 1] = { first = at - 1, last = #line, text = line:sub(at) }
  end
  return parts, #line + 1
end

--- What came of it, cut at the dots.
---@param line string
---@param at integer where the first dot begins, 1-based
---@return codex-chat.CallPart[] tail
---@return integer? seconds
local function tail(line, at)
  local parts, seconds = {}, nil
  local dot = #" · "
  while at <= #line do
    local first = at + dot
    local stop = line:find(" · ", first, true) or #line + 1
    local text = line:sub(first, stop - 1)
    local part = { first = at - 1, last = stop - 1, text = text, group = "CodexChatMuted" }
    local took = tonumber(text:match("^([%d.]+) s$"))
    if took then
      seconds = took >= 1 and took or nil
      part.is_hidden = took < 1 or nil
    elseif text == "exit 0" then
      part.is_hidden = true
    elseif text:find("^exit ") then
      part.group = "CodexChatFailed"
    end
    parts[#parts + 1] = part
    at = stop
  end
  return parts, seconds
end

--- The verb of such a line; nil for any other line.
---@param line string
---@return string? verb
---@return codex-chat.CallKind? kind
---@return integer? at where the text after it begins, 1-based
function M.verb_of(line)
  if line:byte(1) ~= 42 then -- "*"
    return nil
  end
  local verb, at = line:match("^%*%*(%u%l+)%*%*()")
  if verb and kinds[verb] then
    return verb, kinds[verb], at
  end
end

--- Reads the line; nil for any other line.
---@param line string
---@return codex-chat.Call?
function M.parse(line)
  local verb, kind, at = M.verb_of(line)
  if not verb or not kind or not at then
    return nil
  end
  local parts, stop = about(line, at)
  for _, part in ipairs(parts) do
    if part.group and kind == "changed" then
      part.group = "CodexChatPath"
    end
  end
  local came, seconds = tail(line, stop)
  return { verb = verb, kind = kind, about = parts, tail = came, seconds = seconds }
end

--- The columns of a verb in the text of a fold, so that what calls are about stands in one column.
M.verb_columns = 8

--- "+2 −1" in colours.
---@param text string
---@param group string?
---@return table[] chunks
local function counts(text, group)
  local added, removed = text:match("^(%+%d+)(.*)$")
  if not added then
    return { { text, group } }
  end
  return { { added, "CodexChatAdded" }, { removed, "CodexChatRemoved" } }
end

--- The line as text with highlights, as wide as the window; the count stands at the right.
---@param call codex-chat.Call
---@param count string? such as "18 lines"
---@param width integer columns
---@return table[] chunks
function M.chunks(call, count, width)
  local message = require("codex-chat.message")
  local size = vim.api.nvim_strwidth
  local right = count or ""
  if call.seconds then
    right = ("%s%s%g s"):format(right, right == "" and "" or "  ", call.seconds)
  end
  local verb = call.verb .. (" "):rep(math.max(1, M.verb_columns - #call.verb))
  local left = width - size(verb) - (right == "" and 0 or size(right) + 3)
  local chunks = { { verb, call.kind == "failed" and "CodexChatFailed" or "CodexChatVerb" } }
  local tails = {}
  for _, part in ipairs(call.tail) do
    if not part.is_hidden and not part.text:find("^[%d.]+ s$") then
      tails[#tails + 1] = { "  " }
      vim.list_extend(tails, counts(part.text, part.group))
      left = left - 2 - size(part.text)
    end
  end
  for n, part in ipairs(call.about) do
    local text = n == 1 and part.text:gsub("^ ", "") or part.text
    text = text:gsub("%c", " ")
    if left < 1 then
      break
    end
    text = message.cut(text, left)
    left = left - size(text)
    chunks[#chunks + 1] = { text, part.group or "CodexChatVerb" }
  end
  vim.list_extend(chunks, tails)
  if right ~= "" then
    chunks[#chunks + 1] = { (" "):rep(math.max(2, left + 2)) .. right, "CodexChatMuted" }
  end
  return chunks
end

return M
