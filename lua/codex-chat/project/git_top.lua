--- Finds the top of a repository as git does, without running git.
local M = {}

local look = require("codex-chat.disk.look")

local uv = vim.uv

--- Git reads 256 bytes of HEAD; a pointer is a path (git 2.47, setup.c and refs.c).
local max_head, max_pointer = 4096, 8 * 1024

--- Whether git accepts this as HEAD: a link to a branch, or the name of a branch or a commit.
---@param path string
---@return boolean
local function is_head(path)
  local link = uv.fs_readlink(path)
  if link then
    return vim.startswith(link, "refs/")
  end
  local text = look.read(path, max_head) or ""
  local id = text:match("^%x+") or ""
  return text:find("^ref:%s*refs/") ~= nil or #id == 40 or #id == 64
end

--- Whether git accepts a directory as a git directory, by the rules of `is_git_directory` in setup.c.
---@param dir string without links
---@return boolean
local function is_git_dir(dir)
  local common = look.read(dir .. "/commondir", max_pointer)
  local base = dir
  if common then
    common = vim.trim(common)
    base = common:sub(1, 1) == "/" and common or dir .. "/" .. common
  end
  return is_head(dir .. "/HEAD")
    and uv.fs_access(base .. "/objects", "X") == true
    and uv.fs_access(base .. "/refs", "X") == true
end

--- Whether git finds a repository at this directory, by its `.git`: a git directory, a file that names
--- one, or a link to either.
---
--- SECURITY: the agent can make a `.git` in any directory of a project, and git passes over an empty
--- one. If it counted here, that directory would become the project, while git would use the settings
--- of the repository around it; these may name files that the sandbox could then write.
---@param dir string
---@return boolean
function M.accepts(dir)
  local path = uv.fs_realpath(dir .. "/.git")
  local stat = path and uv.fs_lstat(path)
  if not path or not stat then
    return false
  elseif stat.type == "directory" then
    return is_git_dir(path)
  end
  local text = stat.type == "file" and look.read(path, max_pointer) or ""
  local target = text:match("^gitdir: ([^\r\n]+)")
  local git_dir = target
    and uv.fs_realpath(target:sub(1, 1) == "/" and target or dir .. "/" .. target)
  return git_dir ~= nil and is_git_dir(git_dir)
end

return M
