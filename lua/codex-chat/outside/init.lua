--- Decides which places on this machine no agent can write: those outside every project.
---
--- Projects are the directories opened in this Neovim, and those with a project's state: opened by
--- another Neovim, or last week. Directories that the configuration makes writable count as projects.
local M = {}

local uv = vim.uv

--- More links than this in one path are a loop, as in Linux.
local max_links = 40

---@type table<string, true> roots, links resolved
local opened = {}
local count = 0
---@type table<string, boolean> by directory, whether it has a project's state
local has_state = {}
---@type string? what `has_state` was found for
local state_version

---@param path string
---@param dir string
---@return boolean
local function is_at(path, dir)
  return path == dir or vim.startswith(path, dir == "/" and dir or dir .. "/")
end

---@param dir string
---@return boolean whether an agent can get this directory
local function counts(dir)
  local home = uv.os_homedir()
  home = home and uv.fs_realpath(home) or home
  return not require("codex-chat.project.refusal").system[dir] and not (home and is_at(home, dir))
end

--- Adds a project. It stays one as long as Neovim runs: its files are as the agent left them.
---@param root string
function M.add(root)
  local real = uv.fs_realpath(root) or vim.fs.normalize(root)
  if not opened[real] and counts(real) then
    opened[real] = true
    count = count + 1
  end
end

--- How many projects were opened in this Neovim.
---@return integer
function M.count()
  return count
end

--- Adds the directories that the configuration makes writable: mounts, and Codex's homes in the state.
---@return string dir the directory of the projects' states
local function add_configured()
  local config = require("codex-chat.config").get()
  for _, mount in ipairs(config.sandbox and config.sandbox.mounts or {}) do
    if mount.write then
      M.add(mount.source)
    end
  end
  local dir = config.state_dir .. "/projects"
  M.add(dir)
  return dir
end

--- Changes with the set of projects: decisions for another version are void.
---@return string
function M.version()
  local dir = add_configured()
  local stat = uv.fs_stat(dir)
  local mtime = stat and stat.mtime or { sec = 0, nsec = 0 }
  return ("%d %d.%d %s"):format(count, mtime.sec, mtime.nsec, dir)
end

--- Entries of a directory on 'runtimepath' or 'packpath' that Neovim loads files from.
local loaded = {}
for _, name in
  ipairs(
    vim.split(
      "after autoload colors compiler ftdetect ftplugin indent keymap lang lsp lua menu.vim opt pack parser "
        .. "plugin queries rplugin spell start syntax",
      " "
    )
  )
do
  loaded[name] = true
end

--- The project opened in this Neovim from which Neovim loads files if this directory is on
--- 'runtimepath' or 'packpath': the directory itself, or one in it that files are loaded from.
---@param dir string
---@return string? root
function M.within(dir)
  local real = uv.fs_realpath(dir)
  return real
    and vim
      .iter(pairs(opened))
      :map(function(root)
        local first = is_at(root, real) and root:sub(#real + 2):match("^[^/]*")
        return first and (first == "" or loaded[first]) and root or nil
      end)
      :next()
end

---@param dir string
---@return boolean
local function is_known(dir)
  if has_state[dir] == nil then
    local state = require("codex-chat.project").at(dir).dir
    local stat, _, code = uv.fs_lstat(state)
    has_state[dir] = stat ~= nil or (code ~= "ENOENT" and code ~= "ENOTDIR")
  end
  return has_state[dir] and counts(dir)
end

--- The project that a path is in.
---@param place string absolute, without links except in its last part
---@return string? root
local function project_of(place)
  local dir = place
  while dir ~= "/" do
    if opened[dir] or is_known(dir) then
      return dir
    end
    dir = dir:match("^(.+)/[^/]*$") or "/"
  end
end

--- Follows a path link by link.
---
--- SECURITY: both the place and the target of a link count. A link in a project can be changed,
--- whatever its target is now; a link into a project leads to a file that the agent writes.
---@param path string
---@return string? real
---@return "absent"|"project"|"unseen"|nil why
---@return string? detail the project, or the error
function M.resolve(path)
  local version = M.version()
  if version ~= state_version then
    has_state, state_version = {}, version
  end
  return M.follow(path)
end

---@param path string
---@return string[] parts
local function parts_of(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  return parts
end

--- Does the same for further paths, right after `resolve`.
---@param path string
---@param seen? table<string, true> the directories outside every project that it has come through, for
--- many paths that are followed at one moment
---@return string? real
---@return "absent"|"project"|"unseen"|nil why
---@return string? detail
function M.follow(path, seen)
  if path:sub(1, 1) ~= "/" then
    return nil, "unseen", "it is relative to the working directory"
  end
  local rest, next_part, at, links = parts_of(path), 1, "", 0
  while next_part <= #rest do
    local part = rest[next_part]
    next_part = next_part + 1
    local place = at .. "/" .. part
    if part == ".." then
      at = at:match("^(.*)/[^/]*$") or ""
    elseif seen and seen[place] then
      at = place
    elseif part ~= "." then
      local stat, _, code = uv.fs_lstat(place)
      -- A file or a link is no project, and the directories that it is in were looked at.
      local project = (not stat or stat.type == "directory") and project_of(place)
      if project then
        return nil, "project", project
      elseif not stat then
        local absent = code == "ENOENT" or code == "ENOTDIR"
        return nil, absent and "absent" or "unseen", code
      elseif stat.type == "link" then
        local target = uv.fs_readlink(place)
        links = links + 1
        if not target or links > max_links then
          return nil, "unseen", "ELOOP"
        end
        rest = vim.list_extend(parts_of(target), rest, next_part)
        next_part = 1
        at = target:sub(1, 1) == "/" and "" or at
      else
        if seen and stat.type == "directory" then
          seen[place] = true
        end
        at = place
      end
    end
  end
  return at == "" and "/" or at
end

return M
