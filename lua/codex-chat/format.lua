--- The marks of a conversation's file: headings, the context line, front matter, code fences, names.
--- src/chat/format holds them for the host; test/fixtures/format.json has the cases that both are tested
--- against. Rows are 0-based.
local M = {}

--- The heading above a query, and above the prompt.
M.user_heading = "## You"
--- The heading above an answer.
M.codex_heading = "## Codex"

--- Code points of a name that the user gives.
local name_chars = 100
--- Front matter is short. A rule at the top of a long text does not begin one.
local max_front_matter = 200
--- The line above and below the front matter, and its first key.
local front_line, version_line = "---", "codex-chat: 1"
--- The front matter's keys in the order in which they are written.
local keys = { "name", "thread", "project", "model", "created" }

--- Whose section this line begins; nil for any other line.
---@param line string?
---@return "user"|"codex"|nil
function M.role_of(line)
  local name = line and line:match("^## (%a+)[ \t]*$")
  return name == "You" and "user" or name == "Codex" and "codex" or nil
end

--- Whether this line is the heading of a prompt or a query.
---@param line string?
---@return boolean
function M.is_prompt(line)
  return line ~= nil and line:find("^## You[ \t]*$") ~= nil
end

--- The line below a query that says what was sent along with it.
---@param labels string[]
---@return string
function M.context_line(labels)
  return "> **Context:** " .. table.concat(labels, " · ")
end

---@param line string
---@return boolean
function M.is_context_line(line)
  return line:find("^> %*%*Context:%*%* ") ~= nil
end

--- Whether Codex has answered in a text.
---@param text string
---@return boolean
function M.has_answer(text)
  return ("\n" .. text):find("\n## Codex[ \t]*\r?\n") ~= nil
end

--- A query without its context line.
---@param text string
---@return string
function M.without_context(text)
  return (text:gsub("\n+> %*%*Context:%*%* [^\n]*$", ""))
end

--- Fences are CommonMark's: three or more backticks or tildes, at most three spaces before them, closed
--- by at least as many of the same.
---@class (exact) codex-chat.Fence an open fence
---@field mark string its character
---@field length integer
---@field row integer
---@field kind string? the second word of its info string
---@field is_diff boolean

---@param line string
---@return codex-chat.Fence?
local function opening(line)
  local indent, run, info = line:match("^( *)(```+)([^`]*)$")
  if not run then
    indent, run, info = line:match("^( *)(~~~+)(.*)$")
  end
  if not run or #indent > 3 then
    return nil
  end
  return {
    mark = run:sub(1, 1),
    length = #run,
    row = 0,
    kind = info:match("^%s*%S+%s+(%S+)"),
    is_diff = info:find("^ *diff") ~= nil,
  }
end

---@param fence codex-chat.Fence
---@param line string
---@return boolean
local function closes(fence, line)
  local indent, run = line:match("^( *)([`~]+)[ \t]*$")
  return run ~= nil
    and #indent <= 3
    and #run >= fence.length
    and run:find("[^" .. fence.mark .. "]") == nil
end

--- The fence that is open after `line`, given the one before it.
---@param fence codex-chat.Fence?
---@param line string
---@return codex-chat.Fence? fence
---@return boolean edge whether the line opens or closes one
function M.step(fence, line)
  -- Most lines are neither, and patterns are slow on 50,000 of them.
  local first = line:byte(1)
  if first ~= 96 and first ~= 126 and first ~= 32 then -- "`", "~" and " "
    return fence, false
  elseif not line:find("```", 1, true) and not line:find("~~~", 1, true) then
    return fence, false
  end
  if fence then
    if closes(fence, line) then
      return nil, true
    end
    return fence, false
  end
  local opened = opening(line)
  return opened, opened ~= nil
end

--- The row after the front matter; 0 where there is none.
---@param lines string[] at least the first lines of the document
---@return integer
function M.front_matter_end(lines)
  if not (lines[1] or ""):find("^%-%-%-%s*$") then
    return 0
  end
  for row = 2, math.min(#lines, max_front_matter) do
    if lines[row]:find("^%-%-%-%s*$") or lines[row]:find("^%.%.%.%s*$") then
      return row
    end
  end
  return 0
end

--- A YAML scalar on one line: plain where that is safe, else in double quotes.
---@param value string
---@return string
local function scalar(value)
  local plain = value:match("^[%w/_][^%c]*$")
    and not value:find(": ", 1, true)
    and not value:find(" #", 1, true)
    and not value:find("[%s:]$")
    -- What YAML would read as something other than text.
    and not tonumber(value)
    and not value:find("^0o[0-7]+$")
    and not vim.list_contains({ "true", "false", "null", "yes", "no" }, value:lower())
  if plain then
    return value
  end
  local escaped = value:gsub('[\\"]', "\\%0"):gsub("%c", function(char)
    return ("\\x%02x"):format(char:byte())
  end)
  return '"' .. escaped .. '"'
end

local escapes = { n = " ", t = " ", r = " ", ["0"] = "" }

--- The text of a YAML scalar that stands on one line; nil for any other value. The host reads all of
--- YAML; the winbar needs a name at once.
---@param value string
---@return string?
local function read_scalar(value)
  local inner = value:match('^"(.*)"%s*$') or value:match('^"(.*)"%s+#.*$')
  if inner then
    return (
      inner:gsub("\\(.)(%x?%x?%x?%x?)", function(kind, hex)
        local digits = kind == "x" and 2 or kind == "u" and 4
        if digits and #hex >= digits then
          return vim.fn.nr2char(tonumber(hex:sub(1, digits), 16), true) .. hex:sub(digits + 1)
        end
        return (escapes[kind] or kind) .. hex
      end)
    )
  end
  inner = value:match("^'(.*)'%s*$") or value:match("^'(.*)'%s+#.*$")
  if inner then
    return (inner:gsub("''", "'"))
  end
  if value:find("^[|>&*!%[{\"'#]") or value == "~" or value == "null" then
    return nil
  end
  -- `%s+#` costs the square of a run of blanks.
  local comment = value:find("%s#")
  return comment and (value:sub(1, comment - 1):match("^(.*%S)") or "") or value
end

--- The name in a document's front matter, cleaned; nil where it has none.
---@param lines string[] its first lines
---@return string?
function M.name_of(lines)
  for row = 2, M.front_matter_end(lines) - 1 do
    local value = lines[row]:match("^name:%s+(.-)%s*$")
    local name = value and M.clean_name(read_scalar(value) or "") or ""
    if name ~= "" then
      return name
    end
  end
end

--- The lines of a new conversation.
---@param root string
---@param created string ISO 8601
---@return string[]
function M.new_lines(root, created)
  return {
    front_line,
    version_line,
    "project: " .. scalar(root),
    "created: " .. created,
    front_line,
    "",
    M.user_heading,
    "",
  }
end

--- Now, as the front matter holds it.
---@return string
function M.now()
  return os.date("!%Y-%m-%dT%H:%M:%SZ") --[[@as string]]
end

--- How many lines below row `at` belong to its value: those that are indented.
---@param head string[]
---@param at integer
---@param finish integer
---@return integer
local function continued(head, at, finish)
  local count = 0
  while at + count + 1 < finish and head[at + count + 1]:find("^[ \t]+%S") do
    count = count + 1
  end
  return count
end

--- The lines that must change for the front matter to hold `meta`; other keys stay as they are.
---@param head string[] the document's first lines
---@param meta table<string, string>
---@return { row: integer, count: integer, lines: string[] }[] from the last to the first
function M.meta_changes(head, meta)
  local finish = M.front_matter_end(head)
  if finish == 0 then
    local lines = { front_line, version_line }
    for _, key in ipairs(keys) do
      if type(meta[key]) == "string" then
        lines[#lines + 1] = key .. ": " .. scalar(meta[key])
      end
    end
    vim.list_extend(lines, { front_line, "" })
    return { { row = 0, count = 0, lines = lines } }
  end
  local changes, fresh = {}, {}
  for _, key in ipairs(keys) do
    local value = meta[key]
    if type(value) == "string" then
      local line = key .. ": " .. scalar(value)
      local at
      for row = 2, finish - 1 do
        if vim.startswith(head[row], key .. ":") then
          at = row
          break
        end
      end
      local count = at and 1 + continued(head, at, finish) or 0
      if at and (head[at] ~= line or count > 1) then
        changes[#changes + 1] = { row = at - 1, count = count, lines = { line } }
      elseif not at then
        fresh[#fresh + 1] = line
      end
    end
  end
  if #fresh > 0 then
    changes[#changes + 1] = { row = finish - 1, count = 0, lines = fresh }
  end
  table.sort(changes, function(a, b)
    return a.row > b.row
  end)
  return changes
end

--- The front matter of a document, dashes included; nil where it has none.
---@param lines string[]
---@return string[]? head
function M.head(lines)
  local finish = M.front_matter_end(lines)
  return finish > 0 and vim.list_slice(lines, 1, finish) or nil
end

--- The lines as a file holds them: with the thread and the project of `head`, whatever the user has
--- made of the front matter. The host does the same (src/chat/format/front-matter.ts, `withKept`).
---@param lines string[]
---@param head? string[]
---@return string[]
function M.with_kept(lines, head)
  if not head then
    return lines
  end
  local finish = M.front_matter_end(lines)
  if finish == 0 then
    local whole = vim.list_extend({}, head)
    whole[#whole + 1] = ""
    return vim.list_extend(whole, lines)
  end
  local kept = {}
  for _, line in ipairs(head) do
    local key = line:match("^(%l+):")
    if (key == "thread" or key == "project") and not vim.list_contains(lines, line) then
      kept[#kept + 1] = { key = key, line = line }
    end
  end
  if #kept == 0 then
    return lines
  end
  lines = vim.list_extend({}, lines)
  for _, lost in ipairs(kept) do
    local at
    for row = 2, finish - 1 do
      at = at or (vim.startswith(lines[row], lost.key .. ":") and row or nil)
    end
    if at then
      lines[at] = lost.line
    else
      table.insert(lines, 2, lost.line)
      finish = finish + 1
    end
  end
  return lines
end

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
  -- A word is cut only where it is most of the name.
  local whole = short:match("^(.*%S) +%S*$")
  if whole and #whole >= #short * 2 / 3 then
    short = whole
  end
  return short .. "…"
end

--- A name that the user gives, on one line; empty where nothing is left of it.
---
--- SECURITY: what stands in a file may come from the model or the sandbox. No control characters, and
--- none that turn the direction of the text around.
---@param name string
---@return string
function M.clean_name(name)
  local clean = name:gsub("[%c]", " "):gsub("\194[\128-\160]", " ")
  clean = clean:gsub("\226\128[\139-\143\168-\174]", ""):gsub("\226\129[\160-\175]", "")
  clean = clean:gsub("\216\156", ""):gsub("\239\187\191", "")
  local valid = {}
  for piece in clean:gmatch(char) do
    valid[#valid + 1] = piece
  end
  local text = table.concat(valid):gsub(" +", " "):gsub("^ ", ""):gsub(" $", "")
  return cut(text, name_chars)
end

--- A fence that is longer than any run of backticks in the text.
---@param lines string[]
---@return string
function M.fence_for(lines)
  local longest = 2
  for _, line in ipairs(lines) do
    for run in line:gmatch("`+") do
      longest = math.max(longest, #run)
    end
  end
  return ("`"):rep(longest + 1)
end

return M
