--- Finds the programs that the plugin starts, on the PATH and outside every project.
---
--- SECURITY: direnv and similar tools put `bin` or `node_modules/.bin` of a project on the PATH of an
--- editor that is started there, and the agent can write programs into these directories.
local M = {}

local outside = require("codex-chat.outside")

local uv = vim.uv

---@type { path: string, version: string, kept: string }?
local last

---@return string[] the directories of the PATH, as written
local function dirs()
  return vim.split(vim.env.PATH or "", ":", { plain = true })
end

--- Whether a program in this directory is a link into a project. Programs look up the names of others
--- by themselves, so such a directory is left out as a whole.
---@param dir string
---@return boolean
local function leads_in(dir)
  local entries = uv.fs_scandir(dir)
  if not entries then
    return true
  end
  local seen = {}
  for name, kind in uv.fs_scandir_next, entries do
    if kind == "link" then
      local target = uv.fs_readlink(dir .. "/" .. name)
      -- A link to a neighbour, which is checked as well.
      if not target or target:find("/", 1, true) then
        local _, why = outside.follow(dir .. "/" .. name, seen)
        if why == "project" then
          return true
        end
      end
    end
  end
  return false
end

--- The PATH for programs that the plugin starts: only directories outside every project. Relative,
--- empty and unreadable ones are left out.
---@return string
function M.path()
  local path, version = vim.env.PATH or "", outside.version()
  if not last or last.path ~= path or last.version ~= version then
    local kept = vim.tbl_filter(function(dir)
      local real = outside.resolve(dir)
      return real ~= nil and not leads_in(real)
    end, dirs())
    last = { path = path, version = version, kept = table.concat(kept, ":") }
  end
  return last.kept
end

---@param why string
---@param detail string
---@return string
local function reason(why, detail)
  if why == "project" then
    return ("it lies in the project %s or leads there, and Codex can write in it"):format(detail)
  end
  return ("it cannot be accessed (%s)"):format(detail)
end

--- The program of this name on the PATH, or at this path, if it is outside every project.
---@param name string
---@return string? path absolute; links are kept, since some programs depend on their name
---@return string? err a sentence if it was found and must not be run; nil if there is none
function M.find(name)
  if name:sub(1, 2) == "~/" then
    name = (uv.os_homedir() or "~") .. name:sub(2)
  end
  local candidates = { name }
  if not name:find("/", 1, true) then
    candidates = vim.tbl_map(function(dir)
      return (dir == "" and "." or dir:gsub("(.)/+$", "%1")) .. "/" .. name
    end, dirs())
  end
  local refusal
  for _, path in ipairs(candidates) do
    local stat = uv.fs_stat(path)
    if stat and stat.type == "file" and uv.fs_access(path, "X") then
      local real, why, detail = outside.resolve(path)
      if real then
        return path
      end
      refusal = refusal or ("%s is not run: %s."):format(path, reason(why, detail))
    end
  end
  return nil, refusal
end

--- Variables with a list of directories: only those of projects are removed.
local lists = {}
for name in
  ([[NODE_PATH LD_LIBRARY_PATH PYTHONPATH PERL5LIB PERLLIB RUBYLIB XDG_DATA_DIRS XDG_CONFIG_DIRS
  MANPATH INFOPATH]]):gmatch("%S+")
do
  lists[name] = true
end

--- Variables that may name a project, since no program loads anything because of them.
local harmless = {
  "^PATH$",
  "^PWD$",
  "^OLDPWD$",
  "^HOME$",
  "^DIRENV_",
  "^VIRTUAL_ENV$",
  "^CONDA_PREFIX$",
  "^N?VIM",
  "^MYVIMRC$",
  "^_$",
}
--- Variables with code: a relative path counts as well.
local code = { NODE_OPTIONS = true, LD_PRELOAD = true, LD_AUDIT = true, BROWSER = true }
--- A longer value is not a path, nor a few of them.
local max_value_bytes = 64 * 1024

--- Whether a path is in a project.
---@param path string
---@param is_code boolean
---@return boolean
local function is_in_project(path, is_code)
  path = path:gsub("^~", uv.os_homedir() or "~")
  if path:sub(1, 1) ~= "/" then
    if is_code then
      return true
    elseif not path:find("^%.%.?/") and not uv.fs_lstat(path) then
      -- Such as "Europe/Berlin".
      return false
    end
    path = (uv.cwd() or "") .. "/" .. path
  end
  local _, why = outside.resolve(path)
  return why == "project" or (is_code and why == "unseen")
end

--- Whether a value names a path in a project, alone, in a list or among words.
---@param text string
---@param is_code boolean
---@return boolean
local function names_project(text, is_code)
  if not text:find("/", 1, true) then
    return false
  elseif #text > max_value_bytes or is_in_project(text, false) then
    return true
  end
  for _, separators in ipairs({ ":", "[%s=:\"',;|]+" }) do
    for word in vim.gsplit(text, separators) do
      -- An option may be joined to its path.
      local from = word:find("/", 1, true)
      if
        from
        and (
          is_in_project(word:sub(from), false) or is_in_project(word, is_code and separators ~= ":")
        )
      then
        return true
      end
    end
  end
  return false
end

--- The changed variables for a program that the plugin starts, so that it finds no programs and loads
--- no code of a project. An empty variable has no effect.
---
--- SECURITY: too many variables name files that a program loads or writes to list them all
--- (OPENSSL_CONF, NODE_EXTRA_CA_CERTS, LD_AUDIT, GCONV_PATH, …): each one that names a path in a
--- project is emptied.
---@return table<string, string>
function M.env()
  local env = { PATH = vim.env.PATH and M.path() }
  for name, value in pairs(vim.fn.environ()) do
    local may = vim.iter(harmless):any(function(pattern)
      return name:find(pattern) ~= nil
    end)
    if lists[name] then
      local kept = vim.tbl_filter(outside.resolve, vim.split(value, ":", { plain = true }))
      env[name] = table.concat(kept, ":")
    elseif not may and names_project(value, code[name] or false) then
      env[name] = ""
    end
  end
  return env
end

--- The beginning of a command line for a program that works in a project; nil where the program is
--- missing. SECURITY: no project's program is taken, and git's own variables are unset: they would
--- lead git to another repository. (Neovim 0.10 passes no variables if it is told to clear the
--- environment, so `env` sets them.)
---@param name string
---@param variables? table<string, string>
---@return string[]? argv
---@return string? err
function M.argv(name, variables)
  local program, err = M.find(name)
  if not program then
    return nil, err or (name .. " is not installed")
  end
  local argv, set = { "/usr/bin/env" }, {}
  for variable, value in pairs(vim.tbl_extend("force", M.env(), variables or {})) do
    -- Unset, not emptied: git takes an empty GIT_DIR for a repository without a name.
    if variable:find("^GIT_") and not (variables and variables[variable]) then
      vim.list_extend(argv, { "-u", variable })
    else
      set[#set + 1] = variable .. "=" .. value
    end
  end
  vim.list_extend(argv, set)
  argv[#argv + 1] = program
  return argv
end

--- Calls a function that looks for programs itself, like parts of Neovim, with the variables of
--- `env()`.
---@generic T
---@param fn fun(...): T
---@param ... any
---@return T ...
local function with_env(fn, ...)
  local before = {}
  for name, value in pairs(M.env()) do
    before[name] = vim.env[name]
    vim.env[name] = value
  end
  local result = vim.F.pack_len(pcall(fn, ...))
  for name, value in pairs(before) do
    vim.env[name] = value
  end
  if not result[1] then
    error(result[2], 0)
  end
  return unpack(result, 2, result.n)
end

--- Opens an address or a file with the user's desktop.
---@param what string
---@return string? err
function M.open(what)
  local _, err = with_env(vim.ui.open, what)
  return err
end

--- Whether Neovim's clipboard provider, which is loaded on first use, is outside every project.
---@return boolean
local function has_clipboard()
  local provider = vim.api.nvim_get_runtime_file("autoload/provider/clipboard.vim", false)[1]
  return provider ~= nil and outside.resolve(provider) ~= nil
end

--- Copies a text to the unnamed register, and to the clipboard if there is one.
---@param text string
function M.copy(text)
  vim.fn.setreg('"', text)
  if has_clipboard() then
    with_env(pcall, vim.fn.setreg, "+", text)
  end
end

--- The text on the clipboard.
---@return string? text nil if there is none, or no clipboard
function M.paste()
  if not has_clipboard() then
    return nil
  end
  local ok, text = with_env(pcall, vim.fn.getreg, "+")
  return ok and type(text) == "string" and text or nil
end

return M
