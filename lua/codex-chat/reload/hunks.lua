--- Compares texts by lines, and merges two texts that come from a third.
local M = {}

--- vim.diff() has another name from Neovim 0.12 on.
local diff = vim.text and vim.text.diff or vim.diff

--- Pairing takes seconds for thousands of hunks (vim.diff() of Neovim 0.12.4).
local max_paired = 1000

---@class (exact) codex-chat.LineHunk rows are 0-based
---@field old integer the first row that goes
---@field old_count integer
---@field new integer the first row that comes
---@field new_count integer

---@param lines string[]
---@return string
local function joined(lines)
  return table.concat(lines, "\n") .. "\n"
end

--- Whether two texts are the same.
---@param one string[]
---@param other string[]
---@return boolean
function M.same(one, other)
  if #one ~= #other then
    return false
  end
  for i, line in ipairs(one) do
    if line ~= other[i] then
      return false
    end
  end
  return true
end

---@param old string
---@param new string
---@param linematch? integer
---@return codex-chat.LineHunk[]
local function compare(old, new, linematch)
  local options = { result_type = "indices", linematch = linematch }
  local found = diff(old, new, options) --[[@as integer[][] ]]
  return vim.tbl_map(function(hunk)
    local old_first, old_count, new_first, new_count = unpack(hunk)
    -- Where a side has no lines, its row is the one before them.
    return {
      old = old_count > 0 and old_first - 1 or old_first,
      old_count = old_count,
      new = new_count > 0 and new_first - 1 or new_first,
      new_count = new_count,
    }
  end, found)
end

--- Where two texts differ, from top to bottom.
---@param old string[] without line breaks within
---@param new string[] likewise
---@return codex-chat.LineHunk[]
function M.of(old, new)
  return compare(joined(old), joined(new))
end

--- The same, with similar lines of a hunk paired where that is affordable.
---@param old string[]
---@param new string[]
---@return codex-chat.LineHunk[]
function M.paired(old, new)
  local one, other = joined(old), joined(new)
  local hunks = compare(one, other)
  local lines, is_uneven = 0, false
  for _, hunk in ipairs(hunks) do
    lines = lines + hunk.old_count + hunk.new_count
    is_uneven = is_uneven
      or (hunk.old_count ~= hunk.new_count and hunk.old_count > 0 and hunk.new_count > 0)
  end
  return is_uneven and lines <= max_paired and compare(one, other, 60) or hunks
end

---@class (exact) codex-chat.Merged
---@field lines string[]
---@field conflicts integer[] the first row of each, 0-based, in `lines`

---@param to string[]
---@param from string[]
---@param first integer row, 0-based
---@param stop integer
local function append(to, from, first, stop)
  for row = first + 1, stop do
    to[#to + 1] = from[row]
  end
end

--- The lines that one side has for some rows of the base.
---@param lines string[] of that side
---@param base string[]
---@param hunks codex-chat.LineHunk[] of that side within these rows
---@param first integer row of the base
---@param stop integer
---@return string[]
local function side(lines, base, hunks, first, stop)
  local result, row = {}, first
  for _, hunk in ipairs(hunks) do
    append(result, base, row, hunk.old)
    append(result, lines, hunk.new, hunk.new + hunk.new_count)
    row = hunk.old + hunk.old_count
  end
  append(result, base, row, stop)
  return result
end

--- Merges by lines. Changes of both sides that touch, and differ, are a conflict: both stand in the
--- result, between markers as git's.
---@param base string[]
---@param mine string[]
---@param theirs string[]
---@return codex-chat.Merged
function M.merge(base, mine, theirs)
  local ours, others = M.of(base, mine), M.of(base, theirs)
  local result, conflicts = {}, {}
  local row, i, k = 0, 1, 1
  while ours[i] or others[k] do
    local first =
      math.min(ours[i] and ours[i].old or math.huge, others[k] and others[k].old or math.huge)
    append(result, base, row, first)
    -- All hunks of either side that touch one another make one region.
    local stop, mine_here, theirs_here = first, {}, {}
    local grows = true
    while grows do
      grows = false
      while ours[i] and ours[i].old <= stop do
        stop = math.max(stop, ours[i].old + ours[i].old_count)
        mine_here[#mine_here + 1] = ours[i]
        i, grows = i + 1, true
      end
      while others[k] and others[k].old <= stop do
        stop = math.max(stop, others[k].old + others[k].old_count)
        theirs_here[#theirs_here + 1] = others[k]
        k, grows = k + 1, true
      end
    end
    local mine_lines = side(mine, base, mine_here, first, stop)
    local their_lines = side(theirs, base, theirs_here, first, stop)
    if #theirs_here == 0 or M.same(mine_lines, their_lines) then
      vim.list_extend(result, mine_lines)
    elseif #mine_here == 0 then
      vim.list_extend(result, their_lines)
    else
      conflicts[#conflicts + 1] = #result
      result[#result + 1] = "<<<<<<< yours"
      vim.list_extend(result, mine_lines)
      result[#result + 1] = "======="
      vim.list_extend(result, their_lines)
      result[#result + 1] = ">>>>>>> on disk"
    end
    row = stop
  end
  append(result, base, row, #base)
  return { lines = result, conflicts = conflicts }
end

return M
