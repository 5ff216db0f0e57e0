--- Reads files and directories in places where the agent can write.
---
--- SECURITY: with `history_dir` in the project, the sandbox can replace any file and any directory
--- there by a link, a pipe or a device, at any moment. So every step goes from an open directory to
--- one name in it and follows no link, as openat(2) does; `/proc/self/fd/N/name` does the same for
--- programs without openat. An opened file is judged by its descriptor, and read from that descriptor.
--- Only one directory is reached by its path: the state directory, else the home, else the root of the
--- file system. The agent can write in none of them.
local M = {}

local uv = vim.uv

-- Linux, <asm-generic/fcntl.h>; Arm has other values for two of them (<asm/fcntl.h>).
local is_arm = uv.os_uname().machine:find("^aarch64") or uv.os_uname().machine:find("^arm")
local O = {
  WRONLY = 0x1,
  CREAT = 0x40,
  EXCL = 0x80,
  NOCTTY = 0x100,
  NONBLOCK = 0x800,
  DIRECTORY = is_arm and 0x4000 or 0x10000,
  NOFOLLOW = is_arm and 0x8000 or 0x20000,
  PATH = 0x200000,
}

local own_dir_mode = tonumber("700", 8)
--- How many entries of a directory are read.
local max_entries = 100000
--- How much is read at once.
local chunk_bytes = 1024 * 1024

local kinds = {
  link = "a link",
  directory = "a directory",
  fifo = "a pipe",
  socket = "a socket",
  char = "a device",
  block = "a device",
}

--- A path as one word of a shell command.
---@param path string
---@return string
local function quoted(path)
  return path:find("^[%w/._+-]+$") and path or "'" .. path:gsub("'", "'\\''") .. "'"
end

--- Why something is not used, with a command for the user.
---@param path string
---@param kind string
---@return string
local function wrong_kind(path, kind)
  if kind == "link" then
    return ("%s is a link, which the sandbox may have made: look with `ls -l %s`, then `rm` it"):format(
      path,
      quoted(path)
    )
  end
  return ("%s is %s: look with `ls -ld %s`, then move it away"):format(
    path,
    kinds[kind] or "not a plain file",
    quoted(path)
  )
end

--- An error of libuv's, with the path that the user knows instead of the one by descriptor.
---@param err string?
---@param path string
---@return string
local function error_text(err, path)
  return ("%s: %s"):format(path, (err or "it failed"):match("^%u+: ([^:]+)") or err)
end

---@param path string
---@param dir string?
---@return boolean
local function is_below(path, dir)
  return dir ~= nil and dir ~= "" and (path == dir or path:sub(1, #dir + 1) == dir .. "/")
end

--- Where the walk to a directory begins: everything above was never in an agent's reach.
---@param path string
---@return string
local function start_of(path)
  for _, dir in ipairs({ require("codex-chat.config").get().state_dir, uv.os_homedir() or "" }) do
    if is_below(path, (dir:gsub("/+$", ""))) then
      return (dir:gsub("/+$", ""))
    end
  end
  return "/"
end

---@type boolean? whether the flags work on this system
local flags_work

---@return boolean
local function has_nofollow()
  if flags_work == nil then
    local fd, _, code = uv.fs_open("/proc/self", O.NOFOLLOW, 0)
    if fd then
      uv.fs_close(fd)
    end
    flags_work = code == "ELOOP"
  end
  return flags_work
end

---@param fd integer
---@param name string
---@return string
local function at(fd, name)
  return ("/proc/self/fd/%d/%s"):format(fd, name)
end

--- Opens a directory; the caller closes it.
---@param path string absolute
---@param make? boolean whether to make missing directories
---@return integer? fd
---@return string? err
---@return string? code of errno
local function enter(path, make)
  if path:sub(1, 1) ~= "/" then
    return nil, ("%s is not an absolute path"):format(path), "EINVAL"
  elseif not has_nofollow() then
    return nil, "/proc is missing, so links cannot be told from files", "ENOSYS"
  end
  local start = start_of(path)
  local fd, err, code = uv.fs_open(start, O.PATH + O.DIRECTORY, 0)
  if code == "ENOENT" and make then
    -- The state directory is made when it is first used.
    local made, why = pcall(vim.fn.mkdir, start, "p", own_dir_mode)
    if not made then
      return nil, ("%s cannot be made: %s"):format(start, why), code
    end
    fd, err, code = uv.fs_open(start, O.PATH + O.DIRECTORY, 0)
  end
  if not fd then
    return nil, error_text(err, start), code
  end
  local shown = start == "/" and "" or start
  for name in path:sub(#start + 1):gmatch("[^/]+") do
    shown = shown .. "/" .. name
    if name == "." or name == ".." then
      uv.fs_close(fd)
      return nil, ("%s is not a plain path"):format(path), "EINVAL"
    end
    local place = at(fd, name)
    local flags = O.PATH + O.DIRECTORY + O.NOFOLLOW
    local next_fd
    next_fd, err, code = uv.fs_open(place, flags, 0)
    if code == "ENOENT" and make then
      local made, why, how = uv.fs_mkdir(place, own_dir_mode)
      if made or how == "EEXIST" then
        next_fd, err, code = uv.fs_open(place, flags, 0)
      else
        err, code = why, how
      end
    end
    if not next_fd then
      local stat = uv.fs_lstat(place)
      uv.fs_close(fd)
      if stat and stat.type == "link" then
        return nil,
          ("%s is a link, which the sandbox may have made: name the directory itself, or `rm` the link"):format(
            shown
          ),
          "ELOOP"
      elseif stat and stat.type ~= "directory" then
        return nil, wrong_kind(shown, stat.type), "ENOTDIR"
      end
      return nil, error_text(err, shown), code
    end
    uv.fs_close(fd)
    fd = next_fd
  end
  return fd
end

--- Calls `fn` with the path of a file through the descriptor of its directory.
---@param path string absolute
---@param make boolean
---@param fn fun(place: string, dir: integer): any, any, any
---@return any, any, any
local function within(path, make, fn)
  local dir, name = path:match("^(/.*)/([^/]+)$")
  if not dir then
    dir, name = "/", path:match("^/([^/]+)$")
  end
  if not name or name == "." or name == ".." or name:find("%z") then
    return nil, ("%s is not a plain path"):format(path), "EINVAL"
  end
  local fd, err, code = enter(dir, make)
  if not fd then
    return nil, err, code
  end
  local ok, a, b, c = pcall(fn, at(fd, name), fd)
  uv.fs_close(fd)
  if not ok then
    error(a, 0)
  end
  return a, b, c
end

--- Opens a found file for reading, if its descriptor says that it is a plain file. Nothing else is
--- opened: opening a pipe would block, and a device may act.
---@param handle integer of the found file; stays open
---@param path string for messages
---@return integer? fd
---@return string? err
---@return uv.fs_stat.result? stat
function M.open_found(handle, path)
  local stat, why = uv.fs_fstat(handle)
  if not stat then
    return nil, error_text(why, path)
  elseif stat.type ~= "file" then
    return nil, wrong_kind(path, stat.type), stat
  end
  local fd, err = uv.fs_open("/proc/self/fd/" .. handle, O.NONBLOCK + O.NOCTTY, 0)
  return fd, err and error_text(err, path), stat
end

---@param fd integer
---@param max_bytes integer
---@return string? text at most `max_bytes`
---@return string? err
function M.read_all(fd, max_bytes)
  local parts, bytes = {}, 0
  while bytes < max_bytes do
    local data, err = uv.fs_read(fd, math.min(chunk_bytes, max_bytes - bytes), bytes)
    if not data then
      return nil, err
    elseif data == "" then
      break
    end
    bytes = bytes + #data
    parts[#parts + 1] = data
  end
  return table.concat(parts)
end

--- Opens a plain file for reading; the caller closes it. No link on the way is followed.
---@param path string absolute
---@return integer? fd
---@return string? err
---@return uv.fs_stat.result? stat of the open file
function M.open(path)
  local fd, err, stat = within(path, false, function(place)
    local handle, why = uv.fs_open(place, O.PATH + O.NOFOLLOW, 0)
    if not handle then
      return nil, error_text(why, path)
    end
    local opened, problem, found = M.open_found(handle, path)
    uv.fs_close(handle)
    return opened, problem, found
  end)
  return fd, err, type(stat) == "table" and stat or nil
end

--- Reads the whole of an open file, and closes it.
---@param fd integer
---@param path string
---@param max_bytes integer
---@return string? text
---@return string? err
function M.read_open(fd, path, max_bytes)
  local text, why = M.read_all(fd, max_bytes + 1)
  uv.fs_close(fd)
  if not text then
    return nil, error_text(why, path)
  elseif #text > max_bytes then
    return nil, ("%s is larger than %d MB"):format(path, max_bytes / 1024 / 1024)
  end
  return text
end

--- Reads a whole plain file. No link on the way is followed.
---@param path string absolute
---@param max_bytes integer
---@return string? text
---@return string? err
---@return uv.fs_stat.result? stat
function M.read(path, max_bytes)
  local fd, err, stat = M.open(path)
  if not fd then
    return nil, err, stat
  end
  local text, why = M.read_open(fd, path, max_bytes)
  return text, why, stat
end

--- lstat() of a path: of a link itself, not of its target.
---@param path string absolute
---@return uv.fs_stat.result? stat
---@return string? err
---@return string? code of errno: only ENOENT means absence
function M.lstat(path)
  return within(path, false, function(place)
    local stat, err, code = uv.fs_lstat(place)
    return stat, err and error_text(err, path), code
  end)
end

--- The entries of a directory; none if there is no directory.
---@param path string absolute
---@param ending? string only names with this ending, with the result of `lstat`
---@return { name: string, type: string, stat?: uv.fs_stat.result }[]? entries in no order
---@return string? err
function M.list(path, ending)
  local fd, err, code = enter(path)
  if not fd then
    if code == "ENOENT" then
      return {}
    end
    return nil, err
  end
  local entries, count = {}, 0
  local dir, why = uv.fs_opendir(at(fd, "."), nil, 512)
  while dir and count < max_entries do
    local some = uv.fs_readdir(dir)
    if not some then
      break
    end
    for _, entry in ipairs(some) do
      count = count + 1
      if not ending or entry.name:sub(-#ending) == ending then
        entry.stat = ending and uv.fs_lstat(at(fd, entry.name)) or nil
        entries[#entries + 1] = entry
      end
    end
  end
  if dir then
    uv.fs_closedir(dir)
  end
  uv.fs_close(fd)
  if not dir then
    return nil, error_text(why, path)
  elseif count >= max_entries then
    return nil, ("%s has more than %d files; move some of them away"):format(path, max_entries)
  end
  return entries
end

M.flags, M.error_text, M.within, M.enter, M.wrong_kind = O, error_text, within, enter, wrong_kind
M.quoted = quoted

return M
