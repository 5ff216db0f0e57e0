--- The context that is sent along with a query: a text, a picture or a skill.
local M = {}

---@class (exact) codex-chat.ContextPart : codex-chat.SentPart
---@field label string for the reader of the conversation

--- The text in a fence that nothing in it can close.
---@param lines string[]
---@param filetype string
---@return string
local function fenced(lines, filetype)
  local ticks = require("codex-chat.format").fence_for(lines)
  return table.concat(
    { ticks .. filetype:match("^[%w_+-]*"), table.concat(lines, "\n"), ticks },
    "\n"
  )
end

---@param label string for the document
---@param what string the description for the model
---@param lines string[]
---@param filetype? string
---@return codex-chat.ContextPart
function M.of_lines(label, what, lines, filetype)
  return { label = label, text = ("%s:\n\n%s"):format(what, fenced(lines, filetype or "")) }
end

--- A path relative to the root; unchanged if it is not below.
---@param path string
---@param root string
---@return string
function M.relative(path, root)
  local full = vim.uv.fs_realpath(path) or path
  return vim.startswith(full, root .. "/") and full:sub(#root + 2) or full
end

--- A name in a code span, whatever characters it has.
---@param name string
---@return string
function M.code(name)
  name = name:gsub("%c", "?")
  local longest = 0
  for run in name:gmatch("`+") do
    longest = math.max(longest, #run)
  end
  local ticks = ("`"):rep(longest + 1)
  return longest == 0 and ticks .. name .. ticks or ("%s %s %s"):format(ticks, name, ticks)
end

--- A name as markdown that shows it unchanged: in a code span if markdown would interpret it.
---@param name string
---@return string
function M.shown(name)
  local odd = name:find("[%c`*<>%[%]\\&|~#!$^]")
    -- Markdown ignores an underscore within a word.
    or (" " .. name):find("%W_")
    or (name .. " "):find("_%W")
  return odd and M.code(name) or name
end

--- "line 3" or "lines 3–5".
---@param first integer
---@param last integer
---@return string
function M.lines_text(first, last)
  return first == last and ("line %d"):format(first) or ("lines %d–%d"):format(first, last)
end

return M
