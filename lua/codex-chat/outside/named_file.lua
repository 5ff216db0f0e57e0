--- Files that the user or the configuration names, wherever they lie.
local M = {}

local inside = require("codex-chat.disk.inside")
local look = require("codex-chat.disk.look")
local outside = require("codex-chat.outside")

local uv = vim.uv

--- The root of the project that a path is in: the current one, or one with an open conversation.
---@param path string absolute
---@return string? root
local function project_of(path)
  local roots = vim.tbl_map(function(chat)
    return chat.root
  end, require("codex-chat.registry").all())
  roots[#roots + 1] = require("codex-chat.project").of_buf().root
  for _, root in ipairs(roots) do
    if vim.startswith(path, root .. "/") then
      return root
    end
  end
end

--- Why an open file may not be read: its path leads through a project to another place.
---
--- SECURITY: a link of the user's can lead to a place where the agent writes, and the agent can put a
--- link there. The check comes after opening: an open file stays the same.
---@param handle integer
---@param path string absolute, as the user knows it
---@return string? err
local function led_astray(handle, path)
  local real, why, detail = outside.resolve(path)
  if real then
    return nil
  elseif why ~= "project" then
    return ("%s: the way to it cannot be accessed (%s)"):format(path, detail or why)
  end
  local root, place =
    detail, --[[@as string]]
    uv.fs_readlink("/proc/self/fd/" .. handle)
  local relative = place and vim.startswith(place, root .. "/") and place:sub(#root + 2)
  if not relative then
    return ("the link %s leads into the project %s and from there to %s; name that one instead"):format(
      path,
      root,
      place or "what is gone"
    )
  elseif inside.is_hidden(relative) and path ~= place then
    return ("the link %s leads to %s; name that one instead"):format(path, place)
  end
end

--- Reads a file that the user or the configuration names. A path in a project must not lead out of it;
--- elsewhere the user's own links are followed.
---@param path string absolute
---@param max_bytes integer
---@return string? text
---@return string? err
function M.read(path, max_bytes)
  local dir = uv.fs_realpath(vim.fs.dirname(path))
  local place = dir and dir .. "/" .. vim.fs.basename(path) or path
  -- The path may name the project through a link.
  local root = project_of(path)
  if root or project_of(place) then
    local text, err = inside.read(root and path or place, root or project_of(place), max_bytes)
    return text, err
  end
  local handle, why = uv.fs_open(path, look.flags.PATH, 0)
  if not handle then
    return nil, look.error_text(why, path)
  end
  local problem = led_astray(handle, path)
  if problem then
    uv.fs_close(handle)
    return nil, problem
  end
  local fd, err = look.open_found(handle, path)
  uv.fs_close(handle)
  if not fd then
    return nil, err
  end
  return look.read_open(fd, path, max_bytes)
end

return M
