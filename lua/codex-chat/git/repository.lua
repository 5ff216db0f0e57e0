--- Finds a project's repository, and decides whether it may be read for the model.
---
--- SECURITY: every file of it is read as a plain file, without following links: a repository that the
--- agent may have made must not lead to another repository of the user's.
local M = {}

local look = require("codex-chat.disk.look")

local uv = vim.uv

--- The largest files that are read: a pointer is a path, the others are as large as git makes them.
local max_pointer, max_refs = 8 * 1024, 64 * 1024 * 1024
--- How many loose objects and packs are checked.
local max_objects = 200000

---@class (exact) codex-chat.Repository paths without links
---@field top string the work tree
---@field git_dir string the directory of HEAD and the index
---@field common_dir string the directory of objects and branches

---@param path string
---@return string? text nil also if there is no file
---@return string? err
local function small(path, max_bytes)
  local text, err = look.read(path, max_bytes or max_pointer)
  if text then
    return text
  end
  local _, _, code = look.lstat(path)
  return nil, code ~= "ENOENT" and err or nil
end

---@param dir string
---@return boolean
local function is_git_dir(dir)
  for name, kind in pairs({ HEAD = "file", objects = "directory", refs = "directory" }) do
    local stat = look.lstat(dir .. "/" .. name)
    if not stat or stat.type ~= kind then
      return false
    end
  end
  return true
end

---@param base string
---@param path string
---@return string? real
local function resolve(base, path)
  path = vim.trim(path)
  return uv.fs_realpath(path:sub(1, 1) == "/" and path or base .. "/" .. path)
end

--- A worktree is named in `<gitdir>/gitdir`, a submodule in its configuration's core.worktree.
---@param git_dir string
---@param top string
---@return boolean
local function points_back(git_dir, top)
  local back = small(git_dir .. "/gitdir")
  if back then
    local base = vim.trim(back):match("^(.*)/[^/]+$")
    return base ~= nil and resolve(git_dir, base) == top
  end
  local config = small(git_dir .. "/config", max_refs) or ""
  local worktree = ("\n" .. config):match("\n%s*worktree%s*=%s*([^\n]+)")
  return worktree ~= nil and resolve(git_dir, worktree) == top
end

--- The repository that a `.git` file names. As in src/sandbox/git/git-pointer.ts, an agent may have
--- written the file, so the directory must point back, and a common directory must list this worktree.
---@param top string
---@return codex-chat.Repository?
---@return string? err
local function of_pointer(top)
  local text, err = small(top .. "/.git")
  local target = text and text:match("^gitdir: ([^\n]+)")
  local git_dir = target and resolve(top, target)
  if not git_dir then
    return nil, err or ".git is a file that leads nowhere"
  end
  local common, why = small(git_dir .. "/commondir")
  local common_dir = common and resolve(git_dir, common) or not common and not why and git_dir
  local is_own = common_dir
    and is_git_dir(common_dir)
    and points_back(git_dir, top)
    and (common_dir == git_dir or vim.fs.dirname(git_dir) == common_dir .. "/worktrees")
  if not is_own then
    return nil, ("%s/.git leads to %s, which does not point back to it"):format(top, git_dir)
  end
  return { top = top, git_dir = git_dir, common_dir = common_dir }
end

--- The project's repository.
---@param root string
---@return codex-chat.Repository?
---@return string? err
function M.find(root)
  local top = uv.fs_realpath(root)
  while top do
    local stat, err, code = uv.fs_lstat(top .. "/.git")
    if stat and stat.type == "directory" then
      local path = top .. "/.git"
      if not is_git_dir(path) then
        return nil, ("%s is not a git directory"):format(path)
      end
      local common, why, how = look.lstat(path .. "/commondir")
      if common then
        return nil, ("%s has another directory for its objects"):format(path)
      elseif how ~= "ENOENT" then
        return nil, why
      end
      return { top = top, git_dir = path, common_dir = path }
    elseif stat and stat.type == "file" then
      return of_pointer(top)
    elseif stat then
      return nil, ("%s/.git is a link, which the sandbox may have made"):format(top)
    elseif code ~= "ENOENT" and code ~= "ENOTDIR" then
      return nil, err
    end
    top = top ~= "/" and vim.fs.dirname(top) or nil
  end
  return nil, "there is no repository"
end

---@param text string of packed-refs
---@param name string
---@return string?
local function packed(text, name)
  for line in text:gmatch("[^\n]+") do
    local id, ref = line:match("^(%x+) (.+)$")
    if ref == name then
      return id
    end
  end
end

--- The commit that is checked out.
---@param repository codex-chat.Repository
---@return string? id nil without an error if there is no commit yet
---@return string? err
function M.head(repository)
  local text, err = small(repository.git_dir .. "/HEAD")
  for _ = 1, 5 do
    local id = text and text:match("^(%x+)%s*$")
    if id and (#id == 40 or #id == 64) then
      return id
    end
    local name = text and text:match("^ref: (refs/[^\n]+)")
    if not name then
      return nil, err or "HEAD cannot be read"
    end
    text, err = small(repository.common_dir .. "/" .. name)
    if not text and not err then
      local refs
      refs, err = small(repository.common_dir .. "/packed-refs", max_refs)
      text = refs and packed(refs, name)
      if not text then
        return nil, err
      end
    end
  end
  return nil, "HEAD is a chain of names that does not end"
end

--- Checks the directories of objects: git must not read any other repository.
---
--- SECURITY: the message recommends no command that completes a repository with borrowed objects. The
--- agent may have made it, and `git repack -a -d` would copy everything that its branches lead to.
---@param objects string the directory, through a descriptor
---@param shown string the directory, for messages
---@param top string of the project's repository
---@return { sec: integer, nsec: integer }? changed when an entry was last added or removed
---@return string? err
function M.judge_objects(objects, shown, top)
  local latest, count = { sec = 0, nsec = 0 }, 0
  local queue = { "" }
  while #queue > 0 do
    local dir = table.remove(queue)
    local stat, err = uv.fs_stat(objects .. dir .. "/.")
    local handle = stat and uv.fs_scandir(objects .. dir .. "/.")
    if not stat or not handle then
      return nil, ("%s%s cannot be accessed (%s)"):format(shown, dir, err or "scandir")
    end
    local at = stat.ctime
    if at.sec > latest.sec or (at.sec == latest.sec and at.nsec > latest.nsec) then
      latest = at
    end
    for name, kind in uv.fs_scandir_next, handle do
      count = count + 1
      local path = dir .. "/" .. name
      if not kind or kind == "unknown" then
        kind = (uv.fs_lstat(objects .. path) or {}).type
      end
      if kind ~= "file" and kind ~= "directory" then
        return nil,
          ("%s%s is not a plain file: git would read another repository's objects"):format(
            shown,
            path
          )
      elseif path == "/info/alternates" then
        return nil,
          ("it borrows objects from another repository, which %s%s names and which is not read. If you did not set that up, the agent may have: look into that file and remove %s"):format(
            shown,
            path,
            look.quoted(top .. "/.git")
          )
      elseif kind == "directory" then
        queue[#queue + 1] = path
      end
    end
    if count > max_objects then
      return nil, ("%s has too many files to look at; run `git gc`"):format(shown)
    end
  end
  return latest
end

return M
