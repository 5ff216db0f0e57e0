--- Git in a project: run so that nothing which a repository configures is executed or even read, and
--- so that it reads no other repository.
---
--- SECURITY: where no repository was, an agent may have made this one, and it can change it at any
--- moment. So git runs in a directory of ours (`git/view.lua`) with no configuration file at all, and
--- is given the settings that it needs as arguments.
local M = {}

--- How long git may take, in ms.
local timeout_ms = 10000

--- The beginning of a command line for a program that works in a project; nil where the program is
--- not there. SECURITY: it is none of a project's. (Neovim 0.10 passes no variables where it is to
--- clear those that there are, so that env sets them.)
---@param name string
---@param variables? table<string, string>
---@return string[]? argv
---@return string? err
function M.command(name, variables)
  local programs = require("codex-chat.outside.programs")
  local program, err = programs.find(name)
  if not program then
    return nil, err or (name .. " is not installed")
  end
  local argv, set = { "/usr/bin/env" }, {}
  for variable, value in pairs(vim.tbl_extend("force", programs.env(), variables or {})) do
    -- An empty GIT_DIR counts for git.
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

--- The environment of git: none of the editor's own git, as within a commit message.
---@return table<string, string>
local function environment()
  local env = {}
  for name, value in pairs(vim.fn.environ()) do
    if not name:find("^GIT_") then
      env[name] = value
    end
  end
  return env
end

--- Settings of any program's that git must have to see the files as the user's own git does.
local no_files = { GIT_CONFIG_NOSYSTEM = "1", GIT_CONFIG_GLOBAL = "/dev/null" }
-- For git before 2.32, which knows no GIT_CONFIG_GLOBAL.
no_files.HOME, no_files.XDG_CONFIG_HOME = "/nonexistent", "/nonexistent"

--- Never anything from the network: of a partial clone git would fetch what is missing by a program
--- that is configured.
local fixed = {
  LC_ALL = "C",
  GIT_ALLOW_PROTOCOL = "",
  GIT_NO_LAZY_FETCH = "1",
  GIT_NO_REPLACE_OBJECTS = "1",
  GIT_TERMINAL_PROMPT = "0",
}

--- The command line and options of `vim.system` for git. Raises where there is no git.
---@param args string[]
---@param variables table<string, string>
---@return string[] argv
---@return table opts
local function prepared(args, variables)
  local argv = assert(M.command("git", vim.tbl_extend("error", variables, fixed)))
  vim.list_extend(argv, { "--no-pager", "--no-optional-locks" })
  vim.list_extend(argv, { "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null" })
  vim.list_extend(argv, args)
  return argv, { timeout = timeout_ms, cwd = "/", env = environment(), clear_env = true }
end

---@param args string[]
---@param variables table<string, string>
---@param cwd? string
---@return string? stdout
---@return string? err
local function run(args, variables, cwd)
  local ok, out = pcall(function()
    local argv, opts = prepared(args, variables)
    opts.cwd = cwd or opts.cwd
    return require("codex-chat.async").system(argv, opts)
  end)
  if not ok then
    return nil, tostring(out)
  elseif out.code == 124 then
    return nil, "git took longer than 10 s"
  end
  return out.code == 0 and out.stdout or nil, vim.trim(out.stderr or "")
end

--- The settings in a file that lies where no agent writes; files that it includes are not read.
---@param path string
---@return string? listed as `git config --list -z` has them
---@return string? err
function M.settings_in(path)
  return run({ "config", "--file", path, "--no-includes", "--list", "-z" }, no_files)
end

--- The user's and the system's settings.
---@return string? listed as `git config --list -z` has them
---@return string? err
function M.own_settings()
  return run({ "config", "--list", "-z" }, { GIT_DIR = "/dev/null" })
end

--- Runs git in a view of the project's repository.
---@param view codex-chat.GitView
---@param args string[]
---@return string? stdout
---@return string? err
function M.run(view, args)
  local variables = vim.tbl_extend("error", view.variables, no_files)
  return run(vim.list_extend(vim.list_slice(view.settings), args), variables, view.root)
end

return M
