--- What `.gitignore` leaves out, roughly, where git itself cannot be asked.
local M = {}

---@class (exact) codex-chat.IgnoreRule
---@field matches vim.lpeg.Pattern
---@field whole boolean whether the path counts, or only its last part
---@field directory boolean
---@field negated boolean

---@param line string
---@return codex-chat.IgnoreRule?
local function rule(line)
  -- No path is longer. And the last blanks are cut in one go: `%s+$` costs the square of a run of them.
  local glob = #line <= 4096 and line:gsub("^\\([#!])", "%1"):match("^(.*%S)") or ""
  if glob == "" or line:find("^#") then
    return nil
  end
  local negated = line:find("^!") ~= nil
  glob = negated and glob:sub(2) or glob
  local directory = glob:find("/$") ~= nil
  glob = glob:gsub("/$", "")
  local whole = glob:find("/", 1, true) ~= nil
  local ok, matches = pcall(vim.glob.to_lpeg, (glob:gsub("^/", "")))
  return ok and { matches = matches, whole = whole, directory = directory, negated = negated }
    or nil
end

--- The rules of a directory's `.gitignore`.
---@param dir string
---@param root string the project's
---@return codex-chat.IgnoreRule[]
function M.read(dir, root)
  local path = dir:gsub("/+$", "") .. "/.gitignore"
  local text = require("codex-chat.disk.inside").read(path, root, 1024 * 1024)
  local rules = {}
  for line in (text or ""):gmatch("[^\r\n]+") do
    rules[#rules + 1] = rule(line)
  end
  return rules
end

--- What the rules say of a path; nil where none speaks of it.
---@param rules codex-chat.IgnoreRule[]
---@param path string relative to where the rules stand
---@param is_directory boolean
---@return boolean? ignored
function M.verdict(rules, path, is_directory)
  local name = vim.fs.basename(path)
  -- The last rule that fits counts.
  for i = #rules, 1, -1 do
    local it = rules[i]
    if (is_directory or not it.directory) and it.matches:match(it.whole and path or name) then
      return not it.negated
    end
  end
end

return M
