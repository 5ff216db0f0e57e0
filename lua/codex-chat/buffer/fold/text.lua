--- The text of a closed fold.
local M = {}

local calls = require("codex-chat.buffer.calls")
local format = require("codex-chat.format")
local runs = require("codex-chat.buffer.fold.runs")

local api = vim.api

--- Hunks are counted in so many lines at most.
local max_counted = 300

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

--- The count of lines in a fence of a call's.
---@param first integer? the fence's row, 0-based
---@param last integer?
---@return string?
local function count_in(first, last)
  local opened = first and format.step(nil, vim.fn.getline(first + 1))
  return opened and counted(math.max(0, last - first - 1), nouns[opened.kind] or "line") or nil
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

--- "… 2 more hunks", of the rest of a diff. A long one is not read for that at each redraw.
---@param first integer
---@param last integer
---@return string
local function rest_of_diff(first, last)
  local hunks = 0
  if last - first < max_counted and vim.fn.getline(first):find("^@@ ") then
    for _, line in ipairs(vim.fn.getline(first, last)) do
      hunks = hunks + (line:find("^@@ ") and 1 or 0)
    end
  end
  if hunks > 0 then
    return ("… %d more hunk%s"):format(hunks, hunks == 1 and "" or "s")
  end
  return ("… %d more lines"):format(last - first)
end

--- The text of the fold in 'foldtext'. It must not read the fold: each redraw asks for it.
---@param details_at fun(buf: integer, row: integer): integer?, integer? the rows of the last fence of a
--- call, 0-based
---@return table chunks text with highlights
function M.of(details_at)
  local first, last = vim.v.foldstart, vim.v.foldend
  local line = vim.fn.getline(first)
  local run = runs.line(api.nvim_get_current_buf(), first - 1, last - 1)
  if run then
    local width = require("codex-chat.buffer.columns").of(api.nvim_get_current_win())
    -- What they looked at says more than how many there are.
    local size = calls.verb_columns + api.nvim_strwidth(run.call.about[1].text .. run.count) + 3
    return calls.chunks(run.call, size <= width and run.count or nil, width)
  end
  local call = calls.parse(line)
  if call then
    return calls.chunks(
      call,
      count_in(details_at(api.nvim_get_current_buf(), first - 1)),
      require("codex-chat.buffer.columns").of(api.nvim_get_current_win())
    )
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
  local words = count_in(first - 1, last - 1) or rest_of_diff(first, last)
  return { { words, "CodexChatFold" } }
end

return M
