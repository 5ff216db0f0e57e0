--- Skills: directories with a `SKILL.md` that Codex knows by name, of the project and the user's own.
local M = {}

--- Where Codex looks for them, below the root.
local places = { ".agents/skills", ".codex/skills" }

---@class (exact) codex-chat.Skill
---@field name string
---@field path string of its SKILL.md
---@field description string

--- The largest file of a skill that is read, how much of it is parsed, and how many skills of one
--- directory count.
local max_bytes, max_head_bytes, max_skills = 1024 * 1024, 8 * 1024, 100

---@param path string
---@return table<string, string>? front its front matter; nil if it cannot be read
local function read(path)
  local text = require("codex-chat.outside.named_file").read(path, max_bytes)
  if not text then
    return nil
  end
  local head = text:sub(1, max_head_bytes)
  local front = {}
  for line in (head:match("^%-%-%-\r?\n(.-)\n%-%-%-") or ""):gmatch("[^\r\n]+") do
    local key, value = line:match("^(%l+):(.*)$")
    if key then
      value = vim.trim(value)
      front[key] = value:match('^"(.*)"$') or value:match("^'(.*)'$") or value
    end
  end
  return front
end

--- The skills of a project, sorted by name, before the user's own (`skills_dirs`), which have the same
--- paths in the container.
---@param root string
---@return codex-chat.Skill[]
function M.list(root)
  local found, names = {}, {}
  local dirs = vim.tbl_map(function(place)
    return root .. "/" .. place
  end, places)
  vim.list_extend(dirs, require("codex-chat.config").get().skills_dirs or {})
  for _, dir in ipairs(dirs) do
    local count = 0
    for name, kind in vim.fs.dir(dir) do
      count = count + 1
      if count > max_skills then
        break
      end
      local path = ("%s/%s/SKILL.md"):format(dir, name)
      local front = kind ~= "file" and read(path)
      local called = front and (front.name or name)
      if called and called:find("^[%w][%w_:-]*$") and not names[called] then
        names[called] = true
        found[#found + 1] = { name = called, path = path, description = front.description or "" }
      end
    end
  end
  table.sort(found, function(a, b)
    return a.name < b.name
  end)
  return found
end

--- The skill of this name.
---@param root string
---@param name string
---@return codex-chat.Skill?
function M.get(root, name)
  for _, skill in ipairs(M.list(root)) do
    if skill.name == name then
      return skill
    end
  end
end

--- `$name`: Codex itself adds the skill's instructions.
---@param name string
---@param root string
---@return codex-chat.ContextPart? part nil if there is no such skill: `$HOME` is text
function M.of_name(name, root)
  local skill = M.get(root, name)
  return skill
    and { label = "skill " .. skill.name, skill = { name = skill.name, path = skill.path } }
end

return M
