--- Settings from several places, made one.
local M = {}

--- Whether a table holds names, or nothing: an empty one may be meant as either.
---@param value any
---@return boolean
local function has_names(value)
  return type(value) == "table" and (next(value) == nil or not vim.islist(value))
end

--- `upper` over `lower`: tables by name are merged, an empty one changes nothing in them; lists and all
--- else are replaced, also by an empty list. `vim.NIL` takes away what is below it. Shares no table with
--- either; `vim.tbl_deep_extend` decides otherwise about lists from version to version.
---@param lower table
---@param upper table
---@return table
function M.merge(lower, upper)
  if next(lower) == nil and next(upper) == nil then
    -- It may be one that travels as a table by name, or as a list.
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

--- Functions of Vim script, which read from Lua are nothing, as `v:null` is.
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
