--- Having a conversation's file for oneself for a moment, in the way that hosts have it for as long
--- as it is open: by a lock in the state directory, which names the process.
local M = {}

local uv = vim.uv

--- How long another's hold of a file that is being closed here is waited for.
local wait_ms, step_ms = 5000, 50

---@return string
local function content()
  local boot = io.open("/proc/sys/kernel/random/boot_id", "r")
  local id = boot and boot:read("*l") or ""
  if boot then
    boot:close()
  end
  local pid = uv.os_getpid()
  return vim.json.encode({
    pid = pid,
    startTime = require("codex-chat.project").start_time(pid) or "",
    boot = id,
    host = uv.os_gethostname(),
  }) .. "\n"
end

---@param lock string
---@return integer? inode
local function make(lock)
  local fd = uv.fs_open(lock, "wx", tonumber("600", 8))
  if not fd then
    return nil
  end
  uv.fs_write(fd, content())
  local stat = uv.fs_fstat(fd)
  uv.fs_close(fd)
  return stat and stat.ino
end

--- Removes the lock if it is still that very file; another's is put back.
---@param lock string
---@param inode integer
local function remove(lock, inode)
  local stat = uv.fs_lstat(lock)
  if not stat or stat.ino ~= inode then
    return
  end
  local aside = ("%s.%d.gone"):format(lock, uv.os_getpid())
  if not uv.fs_rename(lock, aside) then
    return
  end
  local moved = uv.fs_lstat(aside)
  if moved and moved.ino ~= inode then
    uv.fs_link(aside, lock)
  end
  uv.fs_unlink(aside)
end

--- Calls `fn` with a function that lets go of the file, or with why it cannot be had. Waits for this
--- Neovim's own host to let go of it.
---@param path string
---@param fn fun(release: fun()?, err: string?)
function M.take(path, fn)
  local projects = require("codex-chat.project")
  local host = require("codex-chat.host")
  local lock = projects.lock_path(path)
  vim.fn.mkdir(vim.fs.dirname(lock), "p", tonumber("700", 8))
  local function try(left)
    local inode = make(lock)
    if inode then
      fn(function()
        remove(lock, inode)
      end)
      return
    end
    local stat = uv.fs_lstat(lock)
    if stat and projects.is_locked(path, host.pid()) then
      fn(nil, "it is open in another Neovim; close it there first")
      return
    end
    if stat and stat.type == "file" and not projects.is_locked(path) then
      -- Whoever made it is gone.
      remove(lock, stat.ino)
    elseif not stat then
      local _, err = uv.fs_access(vim.fs.dirname(lock), "W")
      if err then
        fn(nil, err)
        return
      end
    end
    if left <= 0 then
      fn(nil, ("it is still being written; try again, or look at %s"):format(lock))
      return
    end
    vim.defer_fn(function()
      try(left - step_ms)
    end, step_ms)
  end
  try(wait_ms)
end

return M
