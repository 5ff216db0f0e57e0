--- Finds the link at a position of a conversation's text, by the rules of CommonMark that matter here.
local M = {}

---@class (exact) codex-chat.Link
---@field kind "link"|"address"|"code"|"text"
---@field text string the target, or the text there
---@field at integer the position in `text`, from 1

--- How many lines above and below a link may span.
local reach = 3

--- Punctuation that ends a sentence, not an address.
local trailing =
  { "[.,;:!?'\"*_~]$", "。$", "，$", "、$", "）$", "」$", "”$", "’$", "…$" }

---@param text string
---@return string
local function without_trailing(text)
  local before
  repeat
    before = text
    for _, pattern in ipairs(trailing) do
      text = text:gsub(pattern, "")
    end
    local last = text:sub(-1)
    local opener = last == ")" and "%(" or last == "]" and "%[" or nil
    if opener then
      local _, opened = text:gsub(opener, "")
      local _, closed = text:gsub("%" .. last, "")
      text = closed > opened and text:sub(1, -2) or text
    end
  until text == before
  return text
end

---@param text string
---@return string
local function unescaped(text)
  return (text:gsub("\\(%p)", "%1"):gsub("&amp;", "&"))
end

--- The end of the code span that starts here; nil if the backticks open none.
---@param text string
---@param at integer
---@return integer? last
---@return string? content
local function code_span(text, at)
  local ticks = text:match("^`+", at)
  local from = at + #ticks
  while true do
    local first, last = text:find("`+", from)
    if not first or not last then
      return nil
    elseif last - first + 1 == #ticks then
      return last, text:sub(at + #ticks, first - 1)
    end
    from = last + 1
  end
end

--- The closing bracket of the one that opens here.
---@param text string
---@param at integer
---@return integer?
local function closing(text, at)
  local depth, i = 0, at
  while i <= #text do
    local char = text:sub(i, i)
    if char == "\\" then
      i = i + 1
    elseif char == "`" then
      i = code_span(text, i) or (i + #text:match("^`+", i) - 1)
    elseif char == "[" then
      depth = depth + 1
    elseif char == "]" then
      depth = depth - 1
      if depth == 0 then
        return i
      end
    end
    i = i + 1
  end
end

--- The target in the parentheses that open here, and their end.
---@param text string
---@param at integer
---@return string? target
---@return integer? last
local function in_parentheses(text, at)
  local from = text:match("^%(%s*()", at)
  if not from then
    return nil
  end
  local target, after = text:match("^<([^<>\n]*)>()", from)
  if not target then
    local depth, i = 0, from
    while i <= #text do
      local char = text:sub(i, i)
      if char == "\\" then
        i = i + 1
      elseif char == "(" then
        depth = depth + 1
      elseif char == ")" then
        depth = depth - 1
      end
      if depth < 0 or char:find("%s") then
        break
      end
      i = i + 1
    end
    target, after = text:sub(from, i - 1), i
  end
  local last = text:match("^%s*()%)", after)
    or text:match('^%s+"[^"]*"%s*()%)', after)
    or text:match("^%s+'[^']*'%s*()%)", after)
    or text:match("^%s+%([^()]*%)%s*()%)", after)
  return last and unescaped(target), last
end

---@param label string
---@return string the normalized label, for comparison
local function folded(label)
  return vim.fn.tolower((vim.trim(label):gsub("%s+", " ")))
end

--- The target of a reference, by its definition in these lines.
---@param lines string[]
---@param name string
---@return string?
local function defined(lines, name)
  local wanted = folded(name)
  for _, line in ipairs(lines) do
    local label, target = line:match("^ ? ? ?%[([^%]]+)%]:%s*<?([^%s>]+)")
    if label and folded(label) == wanted then
      return unescaped(target)
    end
  end
end

--- The link whose bracket opens here.
---@param text string
---@param at integer
---@param lines string[]
---@return string? target
---@return integer? last
local function bracketed(text, at, lines)
  local close = closing(text, at)
  if not close then
    return nil
  end
  local target, last = in_parentheses(text, close + 1)
  if target then
    return target, last
  end
  local inner = text:sub(at + 1, close - 1)
  local name = text:match("^%[([^%]]*)%]", close + 1)
  last = name and close + #name + 2 or close
  target = defined(lines, (name and name ~= "") and name or inner)
  if not target and name == nil then
    -- This is the definition itself.
    local own = text:match("^:%s*<?([^%s>]+)", close + 1)
    if own and text:sub(1, at - 1):match("\n? ? ? ?$") then
      return own, select(2, text:find("^:%s*<?[^%s>]+", close + 1))
    end
  end
  return target, target and last
end

--- The link that starts at this byte of the text, and its last byte.
---@param text string
---@param at integer
---@param lines string[]
---@return codex-chat.Link?
---@return integer? last
local function begins(text, at, lines)
  local char = text:sub(at, at)
  if char == "`" then
    local last, content = code_span(text, at)
    return last and { kind = "code", text = content, at = 1 }, last
  elseif char == "[" or text:find("^!%[", at) then
    local target, last = bracketed(text, char == "[" and at or at + 1, lines)
    return target and { kind = "link", text = target, at = 1 }, last
  elseif char == "<" then
    local target = text:match("^<(%a[%w+.-]*:[^%s<>]*)>", at)
    local mail = not target and text:match("^<([%w._%%+-]+@[%w.-]+)>", at)
    target = target or (mail and "mailto:" .. mail)
    return target and { kind = "link", text = target, at = 1 },
      target and select(2, text:find("^<[^>]*>", at))
  elseif char:find("[hHmM]") and not text:sub(at - 1, at - 1):find("%w") then
    local found = text:match("^[hH][tT][tT][pP][sS]?://[^%s<>`|]+", at)
      or text:match("^[mM][aA][iI][lL][tT][oO]:[^%s<>`|]+", at)
    local target = found and without_trailing(found)
    return target and { kind = "address", text = target, at = 1 }, target and at + #target - 1
  end
end

--- The link that spans this position of a text.
---@param text string
---@param pos integer from 1
---@param lines string[] where references are defined
---@return codex-chat.Link?
function M.find(text, pos, lines)
  local i = 1
  while i <= pos do
    if text:sub(i, i) == "\\" then
      i = i + 2
    else
      local link, last = begins(text, i, lines)
      if link and last and last >= pos then
        local inner = link.kind == "code" and i + #text:match("^`+", i) or i
        link.at = math.max(1, pos - inner + 1)
        return link
      elseif link and last then
        i = last + 1
      else
        -- Backticks that open no span are skipped together.
        i = i + #(text:match("^`+", i) or " ")
      end
    end
  end
end

---@param lines string[]
---@param row integer 0-based
---@return boolean
local function is_in_fence(lines, row)
  local format = require("codex-chat.format")
  local fence, edge
  for i = 1, row + 1 do
    fence, edge = format.step(fence, lines[i])
  end
  return fence ~= nil or edge
end

--- The link at a position of a conversation; else the line, as text.
---@param lines string[]
---@param row integer 0-based
---@param col integer 0-based, in bytes
---@return codex-chat.Link
function M.at(lines, row, col)
  local line = lines[row + 1] or ""
  local text, pos = line, col + 1
  if is_in_fence(lines, row) then
    -- In code there are addresses, but no links.
    for first, found in line:gmatch("()(%a+://[^%s<>`|\"']+)") do
      local target = without_trailing(found)
      if pos >= first and pos < first + #target then
        return { kind = "address", text = target, at = pos - first + 1 }
      end
    end
    return { kind = "text", text = line, at = pos }
  end
  for n = 1, reach do
    local above = lines[row + 1 - n]
    if not above or not above:find("%S") then
      break
    end
    text, pos = above .. "\n" .. text, pos + #above + 1
  end
  for n = 1, reach do
    local below = lines[row + 1 + n]
    if not below or not below:find("%S") then
      break
    end
    text = text .. "\n" .. below
  end
  local link = M.find(text, pos, lines)
  if link and link.kind == "code" then
    -- An address in a code span is an address all the same.
    local inner = M.find((link.text:gsub("[%[%]<`\\]", " ")), link.at, {})
    if inner and inner.kind == "address" then
      return inner
    end
  end
  return link or { kind = "text", text = line, at = col + 1 }
end

return M
