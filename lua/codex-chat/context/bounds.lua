--- Bounds what is sent to Codex at a time, and checks the numbers in its requests.
local M = {}

--- The longest text that is sent at a time; Codex itself would cut a longer one.
M.max_bytes = 60000

local cut = "[… cut here: ask for less …]"

--- Lines as one text, cut if it is too long.
---@param lines string[]
---@return string
function M.join(lines)
  local kept, bytes = {}, 0
  for _, line in ipairs(lines) do
    bytes = bytes + #line + 1
    if bytes > M.max_bytes then
      local room = M.max_bytes - (bytes - #line - 1)
      if #kept == 0 and room > 0 then
        -- Not within a character.
        kept[1] = line:sub(1, room + vim.str_utf_start(line, room) - 1)
      end
      kept[#kept + 1] = cut
      break
    end
    kept[#kept + 1] = line
  end
  return table.concat(kept, "\n")
end

--- These lines, as many of them as fit.
---@param all string[]
---@param first integer 1-based
---@param last integer inclusive; clamped to the end
---@return string[]
function M.lines(all, first, last)
  local lines, bytes = {}, 0
  for row = first, math.min(last, #all) do
    bytes = bytes + #all[row] + 1
    lines[#lines + 1] = all[row]
    if bytes > M.max_bytes then
      break
    end
  end
  return lines
end

--- An integer of at least 1 from a request of Codex's.
---@param value any
---@param default integer
---@return integer
function M.count(value, default)
  local number = tonumber(value)
  -- Neither nan nor a number beyond the integers.
  if not number or number ~= number or math.abs(number) > 2 ^ 31 then
    return default
  end
  return math.max(1, math.floor(number))
end

--- Joins the lines of a text, without the blanks around each except before the first. A pattern like
--- `%s*\n%s*` would take quadratic time for a run of blanks.
---@param text string
---@param between string
---@return string
function M.joined(text, between)
  local lines = {}
  for line in text:sub(1, M.max_bytes):gmatch("[^\r\n]+") do
    line = vim.trim(line)
    if line ~= "" then
      lines[#lines + 1] = line
    end
  end
  return text:match("^[ \t]*") .. table.concat(lines, between)
end

--- A text of somebody else's as one line.
---@param text string
---@return string
function M.line(text)
  return (M.joined(text, " "):gsub("%c", " "))
end

return M
