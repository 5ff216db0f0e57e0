--- The conversation's file: reading, writing whole, and the front matter's lines.
local M = {}

--- The front matter's keys in the order in which they are written.
local keys = { "name", "thread", "project", "model", "created" }

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
    and not vim.list_contains({ "true", "false", "null", "yes", "no" }, value:lower())
  if plain then
    return value
  end
  local escaped = value:gsub('[\\"]', "\\%0"):gsub("%c", function(char)
    return ("\\x%02x"):format(char:byte())
  end)
  return '"' .. escaped .. '"'
end

--- The lines of a new conversation.
---@param root string
---@param created string ISO 8601
---@return string[]
function M.new_lines(root, created)
  return {
    "---",
    "codex-chat: 1",
    "project: " .. scalar(root),
    "created: " .. created,
    "---",
    "",
    "## You",
    "",
  }
end

--- Now, as the front matter holds it.
---@return string
function M.now()
  return os.date("!%Y-%m-%dT%H:%M:%SZ") --[[@as string]]
end

--- The row after the front matter's closing dashes; 0 where there is none.
---@param lines string[] at least the first lines of the document
---@return integer
local function front_matter_end(lines)
  if not (lines[1] or ""):match("^%-%-%-%s*$") then
    return 0
  end
  for row = 2, #lines do
    if lines[row]:match("^%-%-%-%s*$") or lines[row]:match("^%.%.%.%s*$") then
      return row
    end
  end
  return 0
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
  local finish = front_matter_end(head)
  if finish == 0 then
    local lines = { "---", "codex-chat: 1" }
    for _, key in ipairs(keys) do
      if type(meta[key]) == "string" then
        lines[#lines + 1] = key .. ": " .. scalar(meta[key])
      end
    end
    vim.list_extend(lines, { "---", "" })
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
  local finish = front_matter_end(lines)
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
  local finish = front_matter_end(vim.list_slice(lines, 1, 200))
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
  for _, it in ipairs(kept) do
    local at
    for row = 2, finish - 1 do
      at = at or (vim.startswith(lines[row], it.key .. ":") and row or nil)
    end
    if at then
      lines[at] = it.line
    else
      table.insert(lines, 2, it.line)
      finish = finish + 1
    end
  end
  return lines
end

--- The largest conversation that is read.
M.max_bytes = 64 * 1024 * 1024

--- A file's text as lines.
---@param text string
---@return string[]
function M.lines_of(text)
  text = text:gsub("^\239\187\191", ""):gsub("\r\n", "\n"):gsub("\n$", "")
  return vim.split(text, "\n", { plain = true })
end

--- Reads a conversation as lines. SECURITY: what the agent may have put in its place is refused.
---@param path string absolute
---@return string[]? lines nil where the file cannot be read
---@return string? err
---@return string? text as it stands in the file
function M.read(path)
  local text, err = require("codex-chat.disk.look").read(path, M.max_bytes)
  if not text then
    return nil, err
  end
  return M.lines_of(text), nil, text
end

--- Writes a file so that a crash at any moment leaves the old one or the new one, whole. SECURITY: a
--- link in its place, or on the way to it, is refused.
---@param path string absolute
---@param lines string[]
---@param times? uv.fs_stat.result those that the file keeps
---@return true? ok
---@return string? err
function M.write(path, lines, times)
  local text = table.concat(lines, "\n") .. "\n"
  return require("codex-chat.disk.change").write(path, text, times)
end

--- Row (0-based) of the last `## You` heading outside of fences, or nil.
---@param lines string[]
---@return integer?
function M.find_prompt(lines)
  return require("codex-chat.buffer.markdown").scan(lines).prompt
end

return M
