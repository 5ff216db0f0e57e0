--- The project that a directory belongs to, and where its conversations are.
local M = {}

---@class (exact) codex-chat.Project
---@field root string absolute, symbolic links resolved
---@field dir string the project's state directory
---@field chats string the directory of its conversations

---@param path string
---@return string
local function real(path)
  return vim.uv.fs_realpath(path) or vim.fs.normalize(path)
end

--- Directories named in `:CodexChat open`: they are projects as long as Neovim runs.
---@type table<string, true>
local named = {}

--- A pattern of `roots`, without links in the part before the first wildcard.
---@param pattern string
---@return string
local function without_links(pattern)
  pattern = vim.fs.normalize(pattern):gsub("(.)/+$", "%1")
  local fixed = pattern:match("^(.-)[^/]*[*?%[{]") or pattern
  local base = fixed:gsub("(.)/+$", "%1")
  local resolved = real(base)
  return base == "" and pattern or resolved .. pattern:sub(#base + 1)
end

--- Whether the user has named this directory as a project.
---@param dir string without links
---@return boolean
local function is_named(dir)
  return named[dir]
    or vim.iter(require("codex-chat.config").get().roots):any(function(pattern)
      local path = without_links(pattern)
      local ok, glob = pcall(vim.glob.to_lpeg, path)
      return path == dir or (ok and glob:match(dir) ~= nil)
    end)
end

--- The nearest directory from `dir` upwards that passes a test and is not refused. A refused directory
--- is passed over even if it is a repository, like a home directory with its dotfiles.
---@param dir string
---@param test fun(dir: string): boolean
---@return string?
local function nearest(dir, test)
  local refusal = require("codex-chat.project.refusal")
  local at = dir
  while true do
    if test(at) and not refusal.of(at) then
      return at
    end
    local above = vim.fs.dirname(at)
    if above == at then
      return nil
    end
    at = above
  end
end

--- The nearest directory that the user has named as a project, else the git top level above `start`,
--- else the nearest directory with a root marker, else `start`. Never one that is refused, unless it
--- is `start`.
---@param start string an existing directory
---@return string root
function M.root(start)
  local dir = real(start)
  local markers = require("codex-chat.config").get().root_markers
  return nearest(dir, is_named)
    or nearest(dir, require("codex-chat.project.git_top").accepts)
    or nearest(dir, function(at)
      return vim.iter(markers):any(function(name)
        return vim.uv.fs_stat(at .. "/" .. name) ~= nil
      end)
    end)
    or dir
end

--- Makes a directory a project, even within another one.
---@param dir string as the user has typed it
---@return codex-chat.Project?
---@return string? err
function M.name(dir)
  local path = vim.fs.normalize(vim.fn.fnamemodify(vim.fn.expand(dir), ":p"))
  local stat = vim.uv.fs_stat(path)
  if not stat or stat.type ~= "directory" then
    return nil, ("there is no directory %s. Make it first: mkdir -p %s"):format(path, dir)
  end
  local root = real(path)
  local reason = require("codex-chat.project.refusal").of(root)
  if reason then
    return nil,
      ("the agent gets no access to %s: %s. Name a directory below it."):format(root, reason)
  end
  named[root] = true
  return M.at(root)
end

--- The root of the project whose conversations are in this directory, if one of them is open.
---@param dir string
---@return string? root
local function of_chats(dir)
  for _, chat in ipairs(require("codex-chat.registry").all()) do
    if real(vim.fs.dirname(chat.path)) == dir then
      return chat.root
    end
  end
end

--- The root for a file, seen from the working directory: the current project if the file is in it, else
--- the file's own.
---@param dir string the working directory
---@param name string the file
---@return string root
local function root_for(dir, name)
  local here = M.root(dir)
  local parent = vim.fs.dirname(name)
  if not vim.uv.fs_stat(parent) then
    return here
  end
  local refusal = require("codex-chat.project.refusal")
  local own = M.root(parent)
  if refusal.of(own) then
    return here
  end
  local is_inside = vim.startswith(real(name) .. "/", (here == "/" and here or here .. "/"))
  return is_inside and not is_named(own) and not refusal.of(here) and here or own
end

--- The working directory; if it was removed, the directory where Neovim was started, so that a message
--- can name it.
---@return string
function M.cwd()
  local dir = vim.fn.getcwd()
  if dir ~= "" then
    return dir
  end
  local started = vim.env.PWD or ""
  return started:sub(1, 1) == "/" and started or "/"
end

--- The project that the current buffer's file belongs to; without a file, the working directory's.
---@param buf? integer
---@return codex-chat.Project
function M.of_buf(buf)
  local chat = require("codex-chat.registry").get(buf or vim.api.nvim_get_current_buf())
  if chat then
    return M.at(chat.root)
  end
  local name = vim.api.nvim_buf_get_name(buf or 0)
  local dir = M.cwd()
  -- With 'autochdir' the working directory may be that of the conversations.
  local root = of_chats(real(dir))
  if not root and vim.bo[buf or 0].buftype == "" and name:sub(1, 1) == "/" then
    root = of_chats(real(vim.fs.dirname(name))) or root_for(dir, name)
  end
  return M.at(root or M.root(dir))
end

--- The conversation of the current buffer, else the one of its project, if it is open.
---@return codex-chat.Chat?
function M.current_chat()
  local registry = require("codex-chat.registry")
  return registry.get(0) or registry.current(M.of_buf().root)
end

--- The project with this root.
---@param root string
---@return codex-chat.Project
function M.at(root)
  local config = require("codex-chat.config").get()
  local name = vim.fs.basename(root):gsub("[^%w._-]", "-")
  local hash = require("codex-chat.project.hash").sha256(root):sub(1, 8)
  local dir = ("%s/projects/%s-%s"):format(config.state_dir, name == "" and "root" or name, hash)
  local chats = dir .. "/chats"
  if config.history_dir then
    local history = vim.fn.expand(config.history_dir)
    chats = history:sub(1, 1) == "/" and history or (root .. "/" .. history)
  end
  return { root = root, dir = dir, chats = (vim.fs.normalize(chats):gsub("/$", "")) }
end

--- Field 22 of /proc/<pid>/stat: the start time, which distinguishes processes with the same pid.
---@param pid integer
---@return string?
local function start_time(pid)
  local file = io.open(("/proc/%d/stat"):format(pid), "r")
  if not file then
    return nil
  end
  local stat = file:read("*a")
  file:close()
  -- The second field is the program's name in brackets and may hold spaces and brackets.
  local rest = stat:match("^.*%)%s+(.*)$")
  return rest and vim.split(rest, "%s+")[20]
end

--- How long a lock without an owner counts as being written, in seconds.
local making = 10

---@return string
local function boot_id()
  local file = io.open("/proc/sys/kernel/random/boot_id", "r")
  local id = file and file:read("*l") or ""
  if file then
    file:close()
  end
  return id
end

--- The lock of a conversation: beside it in the state directory; for a conversation elsewhere, in the
--- state directory under a hash of its path. src/chat/file/file-lock.ts has the same rule.
---
--- SECURITY: no file that the agent can write may keep the user from a conversation or let two Neovims
--- open it.
---@param path string the conversation's file
---@return string
function M.lock_path(path)
  local state = require("codex-chat.config").get().state_dir
  if vim.startswith(path, state .. "/") then
    return path .. ".lock"
  end
  local dir = vim.fs.dirname(path)
  local key = (vim.uv.fs_realpath(dir) or dir) .. "/" .. vim.fs.basename(path)
  return ("%s/locks/%s.lock"):format(state, vim.fn.sha256(key))
end

--- Whether another Neovim has the conversation open. A lock that cannot be judged counts as held.
---@param path string the conversation's file
---@param own_pid? integer this Neovim's host
---@return boolean
function M.is_locked(path, own_pid)
  local lock_path = M.lock_path(path)
  local look = require("codex-chat.disk.look")
  local stat, _, code = look.lstat(lock_path)
  if not stat then
    return code ~= "ENOENT"
  end
  local text = look.read(lock_path, 4096)
  if not text then
    return true
  end
  local ok, lock = pcall(vim.json.decode, text)
  if
    not ok
    or type(lock) ~= "table"
    or type(lock.pid) ~= "number"
    or type(lock.startTime) ~= "string"
  then
    return math.abs(os.time() - stat.mtime.sec) < making
  end
  if lock.host ~= nil and lock.host ~= vim.uv.os_gethostname() then
    return true
  end
  if (lock.boot ~= nil and lock.boot ~= boot_id()) or lock.pid == own_pid then
    return false
  end
  local began = start_time(lock.pid)
  return began ~= nil and lock.startTime == began
end

--- The project's state directory, of a conversation in it.
---@param path string
---@return string
function M.state_of(path)
  local dir = vim.fs.dirname(path)
  if vim.fs.basename(dir) == "archive" then
    dir = vim.fs.dirname(dir)
  end
  return vim.fs.dirname(dir)
end

--- Records the root of a project whose conversations are in it, so that a list of all finds them.
---@param project codex-chat.Project
function M.remember(project)
  if not vim.startswith(project.chats .. "/", project.root .. "/") then
    return
  end
  local path = project.dir .. "/root"
  if not vim.uv.fs_stat(path) then
    require("codex-chat.disk.change").write(path, project.root .. "\n")
  end
end

--- The project's conversations, the last written first.
---@param project codex-chat.Project
---@return string[] paths
function M.list_chats(project)
  local found = {}
  local look = require("codex-chat.disk.look")
  -- SECURITY: they may be in the project, where a link of the agent's could lead anywhere.
  local entries, err = look.list(project.chats, ".md")
  if not entries then
    require("codex-chat.message").error(("the conversations cannot be listed: %s."):format(err))
  end
  for _, entry in ipairs(entries or {}) do
    local stat = entry.stat
    if stat and stat.type == "file" then
      local path = project.chats .. "/" .. entry.name
      found[#found + 1] = { path = path, sec = stat.mtime.sec, nsec = stat.mtime.nsec }
    end
  end
  table.sort(found, function(a, b)
    if a.sec ~= b.sec then
      return a.sec > b.sec
    end
    if a.nsec ~= b.nsec then
      return a.nsec > b.nsec
    end
    return a.path > b.path
  end)
  return vim.tbl_map(function(entry)
    return entry.path
  end, found)
end

--- An unused path for a new conversation.
---@param project codex-chat.Project
---@return string
function M.new_path(project)
  local base = ("%s/%s"):format(project.chats, os.date("%Y-%m-%d-%H%M%S"))
  local path, n = base .. ".md", 1
  -- A broken link uses the name as well.
  while vim.uv.fs_lstat(path) or vim.fn.bufexists(path) == 1 do
    n = n + 1
    path = ("%s-%d.md"):format(base, n)
  end
  return path
end

return M
