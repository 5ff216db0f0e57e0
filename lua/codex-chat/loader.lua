--- Finds the plugin's own modules, and Neovim's, without 'runtimepath'.
---
--- SECURITY: modules are loaded when they are first needed, often by something that the agent does.
--- With the project on 'runtimepath', in front of the plugin or of Neovim's own files, a module that
--- the agent has written would run in its place. Run by dofile() before the first require(); it
--- requires nothing itself, because that search is what it replaces.
local mark = "loader of codex-chat"
if package.loaded[mark] then
  return
end

local here = debug.getinfo(1, "S").source:sub(2)
--- The plugin's `lua` directory, without links: a link may change later.
local own = (vim.uv.fs_realpath(here) or here):match("^(.*)/[^/]+/[^/]+$")
local neovim = vim.env.VIMRUNTIME and vim.env.VIMRUNTIME .. "/lua"

---@param base string a directory
---@param name string of a module
---@return function? chunk
---@return string? err
local function load(base, name)
  local path = base .. "/" .. name:gsub("%.", "/")
  for _, file in ipairs({ path .. ".lua", path .. "/init.lua" }) do
    if vim.uv.fs_stat(file) then
      -- The global loadfile(): vim.loader.enable() replaces it by one that caches.
      return loadfile(file)
    end
  end
end

---@param name string
---@return function|string|nil
local function find(name)
  local is_own = name == "codex-chat" or name:find("^codex%-chat[./]")
  if is_own or name == "lualine.components.codex_chat" then
    local chunk, err = load(own, name)
    return chunk
      or function()
        error(err or ("codex-chat: there is no module `%s` in %s"):format(name, own), 0)
      end
  end
  -- A part of Neovim that is not built in, such as `vim.treesitter`.
  if neovim and name:find("^vim[./]") and not package.preload[name] then
    return (load(neovim, name))
  end
end

table.insert(package.loaders, 1, find)
package.loaded[mark] = true
