--- Resolves the paths in the sandbox's settings for the host.
local M = {}

---@param path string
---@return string absolute and without a slash at its end
local function absolute(path)
  path = vim.fs.normalize(vim.fn.fnamemodify(path, ":p"))
  return #path > 1 and (path:gsub("/$", "")) or path
end

---@param mount string|{ source: string, target?: string, write?: boolean }
---@return { source: string, target?: string, write?: boolean }?
local function resolve_mount(mount)
  if type(mount) == "string" then
    mount = { source = mount }
  end
  if not mount.source then
    return nil
  end
  return {
    source = absolute(mount.source),
    target = mount.target and absolute(mount.target),
    write = mount.write,
  }
end

---@param settings table checked
---@return table
function M.resolve(settings)
  settings = vim.deepcopy(settings)
  -- A relative path is in the project, whichever that is.
  if settings.dockerfile and settings.dockerfile:find("^[~/$]") then
    settings.dockerfile = absolute(settings.dockerfile)
  end
  if settings.mounts then
    local mounts = {}
    for _, mount in ipairs(settings.mounts) do
      mounts[#mounts + 1] = resolve_mount(mount)
    end
    -- An empty table would be sent as a map.
    settings.mounts = #mounts > 0 and mounts or nil
  end
  return settings
end

return M
