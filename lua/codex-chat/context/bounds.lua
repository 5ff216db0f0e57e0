--- What is told at a time has an end, and its numbers are numbers.
local M = {}

--- The most that is told at a time; Codex itself would cut it somewhere above.
M.max_bytes = 60000

local cut = "[… cut here: ask for less …]"

--- Lines as one text, cut where it is too long.
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

--- Some of these lines, no more of them than can be told.
---@param all string[]
---@param first integer 1-based
---@param last integer included; beyond the end counts as the end
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

--- A whole number of at least 1, as Codex was asked to give it.
---@param value any
---@param default integer
---@return integer
function M.count(value, default)
  local number = tonumber(value)
  -- Neither nan nor what no integer holds.
  if not number or number ~= number or math.abs(number) > 2 ^ 31 then
    return default
  end
  return math.max(1, math.floor(number))
end

--- A text of more lines as one, without the blanks around each but those in front of the first. A
--- pattern for that, as `%s*\n%s*`, costs the square of a run of blanks.
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

--- One line of text that others have written.
---@param text string
---@return string
function M.line(text)
  return (M.joined(text, " "):gsub("%c", " "))
end

return M
