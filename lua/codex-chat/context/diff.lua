--- Changes of the project that are not committed.
local M = {}

local git = require("codex-chat.git")

--- How often it is looked again where something was changing, and how long after, in seconds.
local attempts, pause = 6, "0.05"

--- The paths that `git diff` has compared, and its patch.
---@param out string of `--patch-with-raw -z`
---@return string[] paths
---@return string patch
local function parsed(out)
  local paths, pos = {}, 1
  while out:sub(pos, pos) == ":" do
    local stop = out:find("\0", pos, true)
    local status = stop and out:sub(pos, stop - 1):match("(%u)%d*$")
    for _ = 1, (status == "R" or status == "C") and 2 or 1 do
      local last = stop and out:find("\0", stop + 1, true)
      if not last then
        return paths, ""
      end
      paths[#paths + 1] = out:sub(stop + 1, last - 1)
      stop = last
    end
    pos = stop + 1
  end
  return paths, out:sub(out:byte(pos) == 0 and pos + 1 or pos)
end

--- What git says, or why it cannot.
---@param view codex-chat.GitView
---@return string[]? lines
---@return string? err
---@return boolean? may_pass
local function changes(view)
  local views = require("codex-chat.git.view")
  local began = views.now()
  local args = { "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--patch-with-raw", "-z" }
  -- Into a repository within this one git would go with that one's configuration.
  vim.list_extend(args, { "--submodule=short", "--ignore-submodules=dirty", "HEAD", "--" })
  local out, err = git.run(view, args)
  if not out then
    return nil, err
  end
  local paths, patch = parsed(out)
  local fresh = git.run(view, { "ls-files", "-o", "--exclude-standard", "-z", "--full-name" }) or ""
  -- SECURITY: between git's look at a file and its reading of it, the agent may put a link there.
  local why, may_pass = views.moved(view, paths, began)
  if why then
    return nil, why, may_pass
  end
  local lines = vim.split(patch, "\n", { plain = true, trimempty = true })
  local look = require("codex-chat.disk.look")
  for name in fresh:gmatch("[^%z]+") do
    -- SECURITY: so may a directory have been a link while git listed it, to one of the user's.
    if look.lstat(view.top .. "/" .. name:gsub("/+$", "")) then
      lines[#lines + 1] = "Untracked file: " .. name:gsub("%c", "?")
    end
  end
  return lines
end

---@param root string
---@return string[]? lines
---@return string? err
---@return boolean? may_pass
local function attempt(root)
  local views = require("codex-chat.git.view")
  local view, err = views.open(root)
  if not view then
    return nil, err
  end
  local ok, lines, why, may_pass = pcall(changes, view)
  views.close(view)
  if not ok then
    error(lines, 0)
  end
  return lines, why, may_pass
end

--- What `git diff HEAD` says, and the names of files that git does not know yet.
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.get(root)
  local lines, err, may_pass = attempt(root)
  for _ = 2, attempts do
    if not may_pass then
      break
    end
    local sleep = require("codex-chat.outside.programs").argv("sleep")
    if not sleep then
      break
    end
    table.insert(sleep, pause)
    require("codex-chat.async").system(sleep, { timeout = 5000 })
    lines, err, may_pass = attempt(root)
  end
  if not lines then
    return nil, "git could not list the changes: " .. err
  elseif #lines == 0 then
    return nil, "there are no uncommitted changes"
  end
  return require("codex-chat.context.part").of_lines(
    "uncommitted changes",
    "Uncommitted changes",
    lines,
    "diff"
  )
end

return M
