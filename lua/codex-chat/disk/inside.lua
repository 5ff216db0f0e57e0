--- Reads the project's files for the model.
---
--- SECURITY: the agent can replace a file by a link between any two looks at its path. So a path is
--- opened once, and everything else (where it led, the kind of file, the text) comes from the
--- descriptor.
local M = {}

local look = require("codex-chat.disk.look")

local uv = vim.uv

--- Files that are hidden from the model unless the user names them: git's own, and those with secrets.
local hidden = { ".git", ".env", ".envrc", ".ssh", ".netrc", ".npmrc", ".pypirc", ".aws", ".gnupg" }

--- Whether a path below the project is hidden.
---@param relative string
---@return boolean
function M.is_hidden(relative)
  for part in vim.gsplit(relative, "/", { plain = true }) do
    local lower = part:lower()
    for _, name in ipairs(hidden) do
      if part == ".." or lower == name or vim.startswith(lower, name .. ".") then
        return true
      end
    end
  end
  return false
end

---@class (exact) codex-chat.Found an open file or directory of the project
---@field handle integer a descriptor without read access; `close` closes it
---@field relative string the path below the root; "" for the root itself
---@field stat uv.fs_stat.result

---@param found codex-chat.Found
function M.close(found)
  uv.fs_close(found.handle)
end

--- Finds where a path leads within the project.
---@param path string absolute
---@param root string links resolved
---@return codex-chat.Found? found the caller closes it
---@return string? err
---@return "absent"|"outside"|"hidden"|"failed"|nil problem
function M.find(path, root)
  local handle, err, code = uv.fs_open(path, look.flags.PATH, 0)
  if not handle then
    local is_absent = vim.list_contains({ "ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG" }, code)
    return nil, look.error_text(err, path), is_absent and "absent" or "failed"
  end
  local stat = uv.fs_fstat(handle)
  local real = uv.fs_readlink("/proc/self/fd/" .. handle)
  local problem, why
  if not stat or not real or stat.nlink == 0 then
    problem, why = "failed", ("%s was removed meanwhile"):format(path)
  elseif real ~= root and not vim.startswith(real, root .. "/") then
    problem, why = "outside", ("%s leads out of the project, to %s"):format(path, real)
  else
    local relative = real:sub(#root + 2)
    -- A hidden file that is named itself is meant; a link to it may be the agent's.
    if M.is_hidden(relative) and path ~= root .. "/" .. relative then
      problem, why = "hidden", ("%s leads to %s; name that one instead"):format(path, relative)
    else
      return { handle = handle, relative = relative, stat = stat }
    end
  end
  uv.fs_close(handle)
  return nil, why, problem
end

--- Opens a found file for reading; the caller closes both.
---@param found codex-chat.Found
---@param path string
---@return integer? fd
---@return string? err
function M.open(found, path)
  local fd, err = look.open_found(found.handle, path)
  return fd, err
end

--- Reads a whole plain file of the project.
---@param path string absolute
---@param root string links resolved
---@param max_bytes integer
---@return string? text
---@return string? err
---@return "absent"|"outside"|"hidden"|"failed"|nil problem
function M.read(path, root, max_bytes)
  local found, err, problem = M.find(path, root)
  if not found then
    return nil, err, problem
  end
  local fd, why = M.open(found, path)
  M.close(found)
  if not fd then
    return nil, why, "failed"
  end
  local text, wrong = look.read_open(fd, path, max_bytes)
  return text, wrong, not text and "failed" or nil
end

return M
