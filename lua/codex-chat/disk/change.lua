--- Changes files in places where the agent can write; `look.lua` says how they are reached.
local M = {}

local look = require("codex-chat.disk.look")

local uv = vim.uv

local O, error_text, within, wrong_kind = look.flags, look.error_text, look.within, look.wrong_kind
local own_mode = tonumber("600", 8)

---@param fd integer
---@param name string
---@return string
local function at(fd, name)
  return ("/proc/self/fd/%d/%s"):format(fd, name)
end

---@param fd integer
---@param text string
---@return string? err
local function put(fd, text)
  local written = 0
  while written < #text do
    local n, err = uv.fs_write(fd, written == 0 and text or text:sub(written + 1), written)
    if not n then
      return err
    end
    written = written + n
  end
end

---@param fd integer
---@param text string
---@return string? err
local function put_safely(fd, text)
  local err = put(fd, text)
  if err then
    return err
  end
  local _, why = uv.fs_fsync(fd)
  return why
end

---@return string a name that nobody can predict
local function fresh_name()
  local bytes = assert(uv.random(12))
  return ".codex-chat-"
    .. bytes:gsub(".", function(char)
      return ("%02x"):format(char:byte())
    end)
    .. ".tmp"
end

--- Writes a file so that a crash at any moment leaves either the old file or the new one: a temporary
--- file beside it is written, synced and renamed over it. A link or anything else in its place is
--- refused; if the file has several names, only this one becomes the new file.
---@param path string absolute
---@param text string
---@param times? uv.fs_stat.result times for the new file
---@param for_now? boolean whether to skip the sync
---@return true? ok
---@return string? err
function M.write(path, text, times, for_now)
  return within(path, true, function(place, dir)
    local old, why, code = uv.fs_lstat(place)
    if not old and code ~= "ENOENT" then
      return nil, error_text(why, path)
    elseif old and old.type ~= "file" then
      return nil, wrong_kind(path, old.type)
    end
    local beside = at(dir, fresh_name())
    local mode = old and old.mode % 512 or own_mode
    local fd, err = uv.fs_open(beside, O.WRONLY + O.CREAT + O.EXCL + O.NOFOLLOW, mode)
    if not fd then
      return nil, error_text(err, path)
    end
    err = (for_now and put or put_safely)(fd, text)
    if not err and times then
      local atime, mtime = times.atime, times.mtime
      uv.fs_futime(fd, atime.sec + atime.nsec / 1e9, mtime.sec + mtime.nsec / 1e9)
    end
    uv.fs_close(fd)
    if not err then
      local _
      _, err = uv.fs_rename(beside, place)
    end
    if err then
      uv.fs_unlink(beside)
      return nil, error_text(err, path)
    end
    return true
  end)
end

--- Makes a directory, and the missing ones above it.
---@param path string absolute
---@return true? ok
---@return string? err
function M.make_dir(path)
  local fd, err = look.enter(path, true)
  if not fd then
    return nil, err
  end
  uv.fs_close(fd)
  return true
end

--- Writes a file to a path that does not exist.
---@param path string absolute
---@param text string
---@return true? ok
---@return string? err
---@return string? code of errno
function M.write_new(path, text)
  return within(path, true, function(place)
    local fd, err, code = uv.fs_open(place, O.WRONLY + O.CREAT + O.EXCL + O.NOFOLLOW, own_mode)
    if not fd then
      return nil, error_text(err, path), code
    end
    err = put_safely(fd, text)
    uv.fs_close(fd)
    if err then
      uv.fs_unlink(place)
      return nil, error_text(err, path)
    end
    return true
  end)
end

return M
