--- Finds the known word that a mistyped one may mean.
local M = {}

--- The edit distance of two words.
---@param a string
---@param b string
---@return integer
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The known word nearest to `word`, if at most `limit` edits away.
---@param word string
---@param known string[]
---@param limit integer
---@return string?
function M.find(word, known, limit)
  local best, least
  for _, candidate in ipairs(known) do
    local apart = distance(word, candidate)
    if apart <= limit and (not least or apart < least) then
      best, least = candidate, apart
    end
  end
  return best
end

return M
