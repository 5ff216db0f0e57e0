--- Merges settings from several places.
local M = {}

--- Whether a table has named entries, or none: an empty one may be either.
---@param value any
---@return boolean
local function has_names(value)
  return type(value) == "table" and (next(value) == nil or not vim.islist(value))
end

--- Merges `upper` over `lower`: tables with names are merged, and an empty one changes nothing; lists
--- and other values are replaced, also by an empty list. `vim.NIL` removes a value. The result shares
--- no table with either. (How vim.tbl_deep_extend() treats lists depends on Neovim's version.)
---@param lower table
---@param upper table
---@return table
function M.merge(lower, upper)
  if next(lower) == nil and next(upper) == nil then
    -- It may be vim.empty_dict() or a list.
    return vim.deepcopy(upper)
  end
  local merged = {}
  for key, value in pairs(lower) do
    merged[key] = value
  end
  for key, value in pairs(upper) do
    local below = merged[key]
    if value == vim.NIL then
      merged[key] = nil
    elseif has_names(value) and has_names(below) then
      merged[key] = M.merge(below, value)
    else
      merged[key] = type(value) == "table" and vim.deepcopy(value) or value
    end
  end
  return merged
end

--- Vim script functions in `prompts`, which Lua reads as vim.NIL.
---@param set any `vim.g.codex_chat`
---@return string[] problems
function M.lost_functions(set)
  local problems = {}
  local prompts = type(set) == "table" and set.prompts or nil
  for name, template in pairs(type(prompts) == "table" and prompts or {}) do
    local kind = ("type(g:codex_chat.prompts[%s])"):format(vim.fn.string(name))
    if template == vim.NIL and vim.fn.eval(kind) == vim.v.t_func then
      problems[#problems + 1] = ("`prompts.%s` is a function of Vim script, which Lua cannot read; write it in Lua"):format(
        name
      )
    end
  end
  return problems
end

return M
