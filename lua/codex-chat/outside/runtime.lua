--- Finds files by 'runtimepath' and 'packpath', but only outside every project.
---
--- SECURITY: if the project is a Neovim plugin or the user's configuration, the agent's files are on
--- 'runtimepath'. Nothing that this plugin does may make Neovim run or load one of them.
local M = {}

local outside = require("codex-chat.outside")

local api = vim.api

---@type { key: string, paths: string[], kept: string[] }?
local last

--- Changes with 'runtimepath' and with the projects.
---@return string
function M.key()
  return table.concat({ vim.o.runtimepath, vim.o.packpath, outside.version() }, "\n")
end

--- Directories with files that run when a buffer gets a file type.
local run_by_type = { "ftplugin", "indent", "syntax", "after" }

--- Whether a file in these directories, or one of them, is a link into a project. A file type plugin
--- can run other files (`:runtime! ftplugin/markdown.vim`).
---@param dir string
---@param names string[]
---@param depth integer
---@return boolean
local function has_links(dir, names, depth)
  for _, name in ipairs(names) do
    local place = dir .. "/" .. name
    local stat = vim.uv.fs_lstat(place)
    local real, why
    if stat and stat.type == "link" then
      real, why = outside.follow(place)
    end
    if why == "project" or why == "unseen" then
      return true
    elseif stat and (stat.type == "directory" or real) then
      local below = {}
      for entry, kind in vim.fs.dir(place) do
        if kind == "link" or kind == "unknown" or (kind == "directory" and depth > 0) then
          below[#below + 1] = entry
        end
      end
      if has_links(place, below, depth - 1) then
        return true
      end
    end
  end
  return false
end

--- The directories that Neovim searches, and those of them outside every project.
local function directories()
  local key = M.key()
  if last and last.key == key then
    return last
  end
  local paths = api.nvim_list_runtime_paths()
  last = {
    key = key,
    paths = paths,
    kept = vim.tbl_filter(function(path)
      return outside.resolve(path) ~= nil and not has_links(path, run_by_type, 3)
    end, paths),
  }
  return last
end

--- A directory that Neovim searches and an agent can write, even if it does not exist yet.
---@return string?
local function in_project()
  local paths = vim.list_extend({}, directories().paths)
  for _, option in ipairs({ vim.o.runtimepath, vim.o.packpath }) do
    vim.list_extend(paths, vim.split(option, ",", { plain = true, trimempty = true }))
  end
  for _, path in ipairs(paths) do
    path = vim.fn.fnamemodify(path, ":p")
    local _, why = outside.resolve(path)
    local within = outside.within(path)
    if why == "project" or within then
      return (within or path):gsub("(.)/+$", "%1")
    end
  end
end

--- The files of this name outside every project, in the order of 'runtimepath'.
---@param name string as for `nvim_get_runtime_file`
---@return string[] real paths
function M.files(name)
  local found = {}
  for _, path in ipairs(api.nvim_get_runtime_file(name, true)) do
    local real = outside.resolve(path)
    if real and not vim.list_contains(found, real) then
      table.insert(found, real)
    end
  end
  return found
end

--- Whether a directory is outside every project.
---@param dir string
---@return boolean
function M.is_outside(dir)
  return outside.resolve(dir) ~= nil
end

--- The files that Neovim runs when a buffer gets a file type.
---@param filetype string
---@return string[] patterns
local function patterns_of(filetype)
  return {
    ("ftplugin/%s.{vim,lua}"):format(filetype),
    ("ftplugin/%s_*.{vim,lua}"):format(filetype),
    ("ftplugin/%s/*.{vim,lua}"):format(filetype),
    ("indent/%s.{vim,lua}"):format(filetype),
    ("syntax/%s.{vim,lua}"):format(filetype),
    ("syntax/%s/*.{vim,lua}"):format(filetype),
  }
end

--- The directories without those in which a file for this file type is a link into a project.
---@param kept string[]
---@param filetype string?
---@return string[]
local function without_links(kept, filetype)
  local bad = {}
  for _, pattern in ipairs(filetype and patterns_of(filetype) or {}) do
    for _, path in ipairs(api.nvim_get_runtime_file(pattern, true)) do
      if not outside.resolve(path) then
        table.insert(bad, path)
      end
    end
  end
  return vim.tbl_filter(function(dir)
    return not vim.iter(bad):any(function(path)
      return vim.startswith(path, dir .. "/")
    end)
  end, kept)
end

---@param paths string[]
---@return string
local function joined(paths)
  return table.concat(
    vim.tbl_map(function(path)
      return (path:gsub("[\\,]", "\\%0"))
    end, paths),
    ","
  )
end

--- Restores 'runtimepath', with the directories added meanwhile, as by a plugin that was loaded.
---@param before string
---@param set string
local function put_back(before, set)
  if vim.o.runtimepath ~= set then
    local own = {}
    for _, path in ipairs(vim.split(set, ",", { plain = true })) do
      own[path] = true
    end
    local added = vim.tbl_filter(function(path)
      return not own[path]
    end, vim.split(vim.o.runtimepath, ",", { plain = true }))
    before = table.concat(vim.list_extend(added, { before }), ",")
  end
  vim.o.runtimepath = before
end

--- Calls a function that makes Neovim run files, without any project's directory on 'runtimepath'.
---@param filetype string? the file type that a buffer gets
---@param fn fun()
function M.without_projects(filetype, fn)
  local now = directories()
  local kept = without_links(now.kept, filetype)
  if #kept == #now.paths then
    fn()
    return
  end
  local runtimepath, packpath = vim.o.runtimepath, vim.o.packpath
  -- The list includes the directories of packages.
  vim.o.packpath = ""
  vim.o.runtimepath = joined(kept)
  local set = vim.o.runtimepath
  local ok, err = pcall(fn)
  put_back(runtimepath, set)
  vim.o.packpath = packpath
  if not ok then
    error(err, 0)
  end
end

--- Sets a buffer's file type. The user's file type plugins run, those of projects do not.
---@param buf integer
---@param filetype string
function M.set_filetype(buf, filetype)
  M.without_projects(filetype, function()
    vim.bo[buf].filetype = filetype
  end)
end

--- Sets a buffer's 'syntax'.
---@param buf integer
---@param syntax string
function M.set_syntax(buf, syntax)
  M.without_projects(syntax, function()
    vim.bo[buf].syntax = syntax
  end)
end

---@type table<string, true>
local warned = {}

--- Warns once that Neovim itself runs files of a project.
function M.warn()
  local path = in_project()
  if path and not warned[path] then
    warned[path] = true
    require("codex-chat.message").warn(
      (
        "%s is on 'runtimepath' and Codex can write in it: look at its changes before you start "
        .. "Neovim again, which runs them (:help codex-chat-runtimepath)."
      ):format(path)
    )
  end
end

return M
