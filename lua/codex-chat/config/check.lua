--- Checks values against rules, with a sentence for each mistake.
local M = {}

---@param name string
---@param known table<string, any>
---@return string? the known name nearest to `name`, if one is near
local function nearest(name, known)
  local names = vim.tbl_keys(known)
  table.sort(names)
  local limit = math.max(2, math.floor(#name / 2))
  return require("codex-chat.did_you_mean").find(name:lower(), names, limit)
end

--- The top-level key of a name: "sandbox" of "sandbox.mounts[2].source".
---@param name string
---@return string
local function top_of(name)
  return name:match("^[^.%[]*")
end

local check

---@param value table
---@param known table<string, codex-chat.Rule>
---@param path string
---@param note fun(problem: string, key: string) called with each problem and its top-level key
---@return table kept the valid entries
local function check_keys(value, known, path, note)
  local kept = {}
  local names = vim.tbl_keys(value)
  table.sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, key in ipairs(names) do
    local entry = value[key]
    local name = path .. tostring(key)
    local rule = known[key]
    if rule then
      kept[key] = check(entry, rule, name, note)
    else
      local near = type(key) == "string" and nearest(key, known)
      note(
        near and ("unknown key `%s`; did you mean `%s`?"):format(name, path .. near)
          or ("unknown key `%s`; see :help codex-chat-config"):format(name),
        path == "" and near or top_of(name)
      )
    end
  end
  return kept
end

--- The value if it fits its rule; else nil, and the problem is noted.
function check(value, rule, name, note)
  local function wrong(expected)
    local found = type(value) == "table" and "a table" or vim.inspect(value)
    if rule == "boolean" and (value == 0 or value == 1) then
      expected = value == 0 and "`false` (`v:false`)" or "`true` (`v:true`)"
    end
    note(("`%s` must be %s, not %s"):format(name, expected, found), top_of(name))
  end
  if type(rule) == "string" then
    if rule == "key" then
      if type(value) == "string" or value == false then
        return value
      end
      return wrong("a key like `<CR>`, or false")
    end
    if rule == "keys" then
      local function is_key(one)
        return type(one) == "string"
      end
      if is_key(value) or value == false then
        return value
      elseif
        type(value) == "table"
        and vim.iter(pairs(value)):all(function(at, one)
          return type(at) == "number" and is_key(one)
        end)
      then
        return value
      end
      return wrong("a key like `gf`, a list of keys, or false")
    end
    if rule == "template" then
      if type(value) == "string" or type(value) == "function" then
        return value
      end
      return wrong("a string, or a function that returns one")
    end
    if type(value) == rule then
      return value
    end
    return wrong("a " .. rule)
  end
  if rule.one_of then
    if vim.list_contains(rule.one_of, value) then
      return value
    end
    return wrong('one of "' .. table.concat(rule.one_of, '", "') .. '"')
  end
  if rule.either then
    -- Whether the value is a table decides which of the two rules applies.
    local plain, structured = unpack(rule.either)
    if type(value) == "table" then
      return check(value, structured, name, note)
    end
    if type(value) == plain then
      return value
    end
    return wrong(("a %s or a table"):format(plain))
  end
  local a_list = rule.list_of == "string" and "a list of strings" or "a list"
  if type(value) ~= "table" then
    return wrong(rule.list_of and a_list or "a table")
  end
  if rule.keys then
    return check_keys(value, rule.keys, name .. ".", note)
  end
  if rule.map_of and rule.map_of ~= "string" then
    local kept = {}
    for key, entry in vim.spairs(value) do
      if type(key) ~= "string" then
        return wrong("a table by name")
      end
      kept[key] = check(entry, rule.map_of, ("%s.%s"):format(name, key), note)
    end
    return kept
  end
  if rule.list_of and not vim.islist(value) then
    return wrong(a_list)
  end
  if rule.list_of and rule.list_of ~= "string" then
    local kept = {}
    for i, entry in ipairs(value) do
      kept[#kept + 1] = check(entry, rule.list_of, ("%s[%d]"):format(name, i), note)
    end
    return kept
  end
  for key, entry in pairs(value) do
    if type(entry) ~= "string" or (rule.map_of and type(key) ~= "string") then
      return wrong(rule.list_of and "a list of strings" or "a table of names and strings")
    end
  end
  return value
end

M.keys = check_keys

return M
