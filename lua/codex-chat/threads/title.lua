--- Titles: one line for a menu from what a user wrote. Runs in worker threads too, so it needs none
--- of the editor's API. src/chat/format/title.ts follows the same rules, and the same cases are held
--- against both.
local M = {}

--- Characters of a title that is made from a query, and of a name that a user gives.
local title_chars, name_chars = 60, 100

--- Code points. Stray bytes are dropped.
local char = "[%z\1-\127\194-\244][\128-\191]*"

---@param text string
---@param max integer
---@return string
local function cut(text, max)
  local at, count = {}, 0
  for start in text:gmatch("()" .. char) do
    count = count + 1
    at[count] = start
    if count > max then
      break
    end
  end
  if count <= max then
    return text
  end
  local short = text:sub(1, at[max] - 1)
  -- A word is cut only where it is most of the title.
  local whole = short:match("^(.*%S) +%S*$")
  if whole and #whole >= #short * 2 / 3 then
    short = whole
  end
  return short .. "…"
end

--- SECURITY: what stands in a file may come from the model or the sandbox. No control characters, and
--- none that turn the direction of the text around.
---@param text string
---@return string
local function plain(text)
  local clean = text:gsub("[%c]", " "):gsub("\194[\128-\160]", " ")
  clean = clean:gsub("\226\128[\139-\143\168-\174]", ""):gsub("\226\129[\160-\175]", "")
  clean = clean:gsub("\216\156", ""):gsub("\239\187\191", "")
  local valid = {}
  for piece in clean:gmatch(char) do
    valid[#valid + 1] = piece
  end
  return (table.concat(valid):gsub(" +", " "):gsub("^ ", ""):gsub(" $", ""))
end

---@param text string outside of code
---@return string
local function unmarked(text)
  local words = text:gsub("!?%[([^%[%]]*)%]%([^()]*%)", "%1"):gsub("<(https?://[^<>]*)>", "%1")
  words = words:gsub("~~([^~]+)~~", "%1")
  words = words:gsub("(%*+)([^ *][^*]*)(%*+)", function(open, inner, close)
    if open == close and inner:sub(-1) ~= " " then
      return inner
    end
  end)
  local all = words
  return (
    all:gsub("()(_+)([^ _][^_]*)(_+)()", function(first, open, inner, close, last)
      local within = all:sub(first - 1, first - 1):find("%w") or all:sub(last, last):find("%w")
      if open == close and inner:sub(-1) ~= " " and not within then
        return inner
      end
    end)
  )
end

--- The line without what only markdown means by it.
---@param line string
---@return string
local function stripped(line)
  local text = plain(line)
  local before
  repeat
    before = text
    text = text:gsub("^#+ ", ""):gsub("^> ?", ""):gsub("^[-*+] ", ""):gsub("^%d+[.)] ", "")
    text = text:gsub("^%[[ xX]%] ", "")
  until text == before
  text = text:gsub("^([-*_= ]+)$", ""):gsub(" #+$", ""):gsub("^#+$", "")
  local parts, pos = {}, 1
  while pos <= #text do
    local first, last = text:find("`+", pos)
    local stop, after
    if first then
      stop, after = text:find(text:sub(first, last), last + 1, true)
    end
    if not stop then
      parts[#parts + 1] = unmarked(text:sub(pos))
      break
    end
    parts[#parts + 1] = unmarked(text:sub(pos, first - 1))
    parts[#parts + 1] = text:sub(last + 1, stop - 1)
    pos = after + 1
  end
  return (table.concat(parts):gsub(" +", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- A title for these lines: the first that says something, those in fences last; empty where none
--- does.
---@param lines string[]
---@return string
function M.of(lines)
  local fence, fenced
  for _, line in ipairs(lines) do
    local run = line:match("^ ? ? ?(```+)") or line:match("^ ? ? ?(~~~+)")
    if fence then
      if run and run:sub(1, #fence) == fence and line:find("^ *[`~]+%s*$") then
        fence = nil
      elseif not fenced and plain(line) ~= "" then
        fenced = cut(plain(line), title_chars)
      end
    elseif run then
      fence = run
    else
      local text = stripped(line)
      if text ~= "" then
        return cut(text, title_chars)
      end
    end
  end
  return fenced or ""
end

--- A name that a user gives, on one line; empty where nothing is left of it.
---@param name string
---@return string
function M.clean(name)
  return cut(plain(name), name_chars)
end

return M
