--- The little of markdown's block structure that the editor needs, in one pass over the lines.
---
--- Fences are CommonMark's: three or more backticks or tildes, at most three spaces before them,
--- closed by at least as many of the same. Rows are 0-based.
local M = {}

--- Fences that stand closed when a conversation is opened, by the second word of their info string.
local folded = { output = true, patch = true, arguments = true, result = true, hook = true }

--- Whether a block quotation stands closed: what Codex thought, and what a sub-agent was told or said.
---@param first string its first line
---@param above string? the line above it
---@return boolean
local function is_folded_quote(first, above)
  return first:find("^> %*%*Thought%*%*") ~= nil
    or (above ~= nil and above:find("^%*%*%u%l+%*%* [%l ]*sub%-agent") ~= nil)
end

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
  -- Most lines are none of both, and patterns are dear on 50,000 of them.
  if not line:find("```", 1, true) and not line:find("~~~", 1, true) then
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

--- Whether this line is the heading of a prompt or a query.
---@param line string?
---@return boolean
function M.is_prompt(line)
  return line ~= nil and line:find("^## You[ \t]*$") ~= nil
end

---@class (exact) codex-chat.Scan
---@field folds integer[][] first and last row of what stands folded
---@field prompt integer? row of the last `## You` heading
---@field front_matter_end integer row after the front matter; 0 where there is none

--- Looks at a whole conversation once.
---@param lines string[]
---@return codex-chat.Scan
function M.scan(lines)
  local folds, prompt, fence = {}, nil, nil
  local in_answer = false
  local quote ---@type integer? the row of the first line of a block quotation
  local start = M.front_matter_end(lines)
  for i = start + 1, #lines do
    local line = lines[i]
    local before = fence
    local edge
    fence, edge = M.step(fence, line)
    local quoted = not before and line:byte(1) == 62 -- ">"
    if quoted then
      quote = quote or i - 1
    elseif quote then
      if is_folded_quote(lines[quote + 1], lines[quote]) and i - quote > 2 then
        folds[#folds + 1] = { quote, i - 2 }
      end
      quote = nil
    end
    if edge then
      if fence then
        fence.row = i - 1
      elseif before and before.kind and folded[before.kind] then
        folds[#folds + 1] = { before.row, i - 1 }
      end
    elseif not fence and line:byte(1) == 35 and M.is_prompt(line) then -- "#"
      prompt, in_answer = i - 1, false
    elseif not fence and line:find("^## Codex[ \t]*$") then
      in_answer = true
    end
  end
  if fence and (in_answer or not prompt) then
    -- A fence that the user left open, or an answer that was cut off, hides every heading below it:
    -- look without fences. No line of an answer is such a heading.
    for i = #lines, start + 1, -1 do
      if M.is_prompt(lines[i]) then
        prompt = i - 1
        break
      end
    end
  end
  return { folds = folds, prompt = prompt, front_matter_end = start }
end

--- The row after the front matter; 0 where there is none.
---@param lines string[]
---@return integer
function M.front_matter_end(lines)
  if not (lines[1] or ""):find("^%-%-%-%s*$") then
    return 0
  end
  -- Front matter is short; a rule at the top of a long text is none.
  for i = 2, math.min(#lines, 200) do
    if lines[i]:find("^%-%-%-%s*$") or lines[i]:find("^%.%.%.%s*$") then
      return i
    end
  end
  return 0
end

return M
