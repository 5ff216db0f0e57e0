--- What the editor needs of a whole conversation when it is opened: its folds and its prompt, found in
--- one pass over the lines. Rows are 0-based.
local M = {}

local format = require("codex-chat.format")
local look = require("codex-chat.buffer.fold.look")
local shape = require("codex-chat.buffer.fold.shape")

--- The least number of calls in what may be a run.
local least_looks = 6

--- Fences that stand closed when a conversation is opened, by the second word of their info string.
local folded = { output = true, patch = true, arguments = true, result = true, hook = true }

--- The least number of lines from the tail on: more than a window shows.
local tail_lines = 300

--- Whether a block quotation stands closed: what Codex thought, and what a sub-agent was told or said.
---@param first string its first line
---@param above string? the line above it
---@return boolean
local function is_folded_quote(first, above)
  return first:find("^> %*%*Thought%*%*") ~= nil
    or (above ~= nil and above:find("^%*%*%u%l+%*%* [%l ]*sub%-agent") ~= nil)
end

--- Whether a run of calls that only look may go on with this line.
---@param line string
---@return boolean
local function may_continue(line)
  return line:find("^> %*%*Thought%*%*") ~= nil or look.may_be(line)
end

---@class (exact) codex-chat.Scan
---@field folds integer[][] first and last row of what stands folded
---@field looks integer[][] rows of the first and last calls of what may be runs of calls that only look
---@field prompt integer? row of the last `## You` heading
---@field front_matter_end integer row after the front matter; 0 where there is none
---@field tail integer row that begins the last lines, at a blank line outside of fences

--- Looks at a whole conversation once.
---@param lines string[]
---@return codex-chat.Scan
function M.scan(lines)
  local folds, prompt, fence = {}, nil, nil
  local in_answer = false
  local quote ---@type integer? the row of the first line of a block quotation
  local looks = {}
  local run ---@type { [1]: integer, [2]: integer, [3]: integer }? first and last rows, and how many calls
  local function end_run()
    if run and run[3] >= least_looks then
      looks[#looks + 1] = { run[1], run[2] }
    end
    run = nil
  end
  local start = format.front_matter_end(lines)
  if start > 0 then
    folds[1] = { 0, start - 1 }
  end
  local tail, last_tail = 0, #lines - tail_lines
  for i = start + 1, #lines do
    local line = lines[i]
    local before = fence
    local edge
    fence, edge = format.step(fence, line)
    if i <= last_tail and line == "" and not fence and lines[i + 1] ~= "" then
      tail = i
    end
    local quoted = not before and line:byte(1) == 62 -- ">"
    if quoted then
      quote = quote or i - 1
    elseif quote then
      if is_folded_quote(lines[quote + 1], lines[quote]) and i - quote > 2 then
        folds[#folds + 1] = { quote, i - 2 }
      end
      quote = nil
    end
    -- Directly below a call are its details.
    if run and not before and line ~= "" and (lines[i - 1] == "" or not (quoted or edge)) then
      if not may_continue(line) then
        end_run()
      end
    end
    if not fence and not edge and line:byte(1) == 42 then -- "*"
      if look.may_be(line) then
        run = run or { i - 1, i - 1, 0 }
        run[2], run[3] = i - 1, run[3] + 1
      end
      if not shape.hides_lines and lines[i + 1] == "" and shape.is_over(line) then
        folds[#folds + 1] = { i - 1, i - 1 }
      end
    end
    if edge then
      if fence then
        fence.row = i - 1
      elseif before and before.kind and folded[before.kind] then
        folds[#folds + 1] = { before.row, i - 1 }
      end
    elseif not fence and line:byte(1) == 35 and format.is_prompt(line) then -- "#"
      prompt, in_answer = i - 1, false
    elseif not fence and line:byte(1) == 35 and format.role_of(line) == "codex" then
      in_answer = true
    end
  end
  if fence and (in_answer or not prompt) then
    -- A fence that the user left open, or an answer that was cut off, hides every heading below it:
    -- look without fences. No line of an answer is such a heading.
    for i = #lines, start + 1, -1 do
      if format.is_prompt(lines[i]) then
        prompt = i - 1
        break
      end
    end
  end
  end_run()
  return { folds = folds, looks = looks, prompt = prompt, front_matter_end = start, tail = tail }
end

return M
