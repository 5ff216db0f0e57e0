--- The uncommitted changes of the project, for `@diff`.
local M = {}

local git = require("codex-chat.git")

--- How often to try again if files were changing, and after how many seconds.
local attempts, pause = 6, "0.05"

--- The paths that `git diff` compared, and its patch.
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

--- The changes, or why git cannot list them.
---@param view codex-chat.GitView
---@return string[]? lines
---@return string? err
---@return boolean? may_pass
local function changes(view)
  local views = require("codex-chat.git.view")
  local began = views.now()
  local args = { "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--patch-with-raw", "-z" }
  -- In a nested repository git would use that repository's configuration.
  vim.list_extend(args, { "--submodule=short", "--ignore-submodules=dirty", "HEAD", "--" })
  local out, err = git.run(view, args)
  if not out then
    return nil, err
  end
  local paths, patch = parsed(out)
  local fresh = git.run(view, { "ls-files", "-o", "--exclude-standard", "-z", "--full-name" }) or ""
  -- SECURITY: the agent may put a link in a file's place between git's lstat and its read.
  local why, may_pass = views.moved(view, paths, began)
  if why then
    return nil, why, may_pass
  end
  local lines = vim.split(patch, "\n", { plain = true, trimempty = true })
  local look = require("codex-chat.disk.look")
  for name in fresh:gmatch("[^%z]+") do
    -- SECURITY: a directory may have been a link to one of the user's while git listed it.
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

--- The output of `git diff HEAD`, and the names of untracked files.
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
