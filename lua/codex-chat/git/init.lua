--- The only module that starts git. Git runs so that nothing that a repository configures is executed
--- or even read, and so that it reads no other repository.
---
--- SECURITY: where there was no repository, an agent may have made this one, and it can change it at
--- any moment. So git runs in a directory of the plugin's own (`git/view.lua`) without any
--- configuration file, and gets the settings that it needs as arguments. The host's git has the same
--- settings and variables for the same reasons.
local M = {}

--- The time limit of one run, in ms.
local timeout_ms = 10000

--- The environment without git's variables, such as those within a commit message's editor.
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

--- Variables that keep the configuration of the system and of the user out.
local no_files = {
  GIT_CONFIG_NOSYSTEM = "1",
  GIT_CONFIG_GLOBAL = "/dev/null",
  -- Git before 2.32 does not know GIT_CONFIG_GLOBAL.
  HOME = "/nonexistent",
  XDG_CONFIG_HOME = "/nonexistent",
}

--- Settings of every run.
local settings = {
  -- Programs that git would start.
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  -- Nothing comes from the network.
  "protocol.allow=never",
  -- Caches beside the objects: a wrong one changes the commits that git sees.
  "core.commitGraph=false",
  "core.multiPackIndex=false",
  -- No process that outlives the run.
  "gc.auto=0",
  "maintenance.auto=false",
}

--- Variables of every run.
local variables_of_all = {
  -- Messages are read by their words.
  LC_ALL = "C",
  -- In a partial clone git would fetch missing objects, by a program that the configuration names.
  GIT_ALLOW_PROTOCOL = "",
  GIT_NO_LAZY_FETCH = "1",
  -- Nothing is written where something is only read.
  GIT_OPTIONAL_LOCKS = "0",
  -- A ref in refs/replace would show another object than the one that is named.
  GIT_NO_REPLACE_OBJECTS = "1",
  -- Nobody is asked for a password.
  GIT_TERMINAL_PROMPT = "0",
  GIT_ASKPASS = "/bin/false",
}

--- The command line and options of `vim.system` for git. Raises if there is no git.
---@param args string[]
---@param variables table<string, string>
---@return string[] argv
---@return table opts
local function prepared(args, variables)
  local programs = require("codex-chat.outside.programs")
  local argv = assert(programs.argv("git", vim.tbl_extend("error", variables, variables_of_all)))
  argv[#argv + 1] = "--no-pager"
  for _, setting in ipairs(settings) do
    vim.list_extend(argv, { "-c", setting })
  end
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

--- The settings in a file that no agent can write; files that it includes are not read.
---@param path string
---@return string? listed the output of `git config --list -z`
---@return string? err
function M.settings_in(path)
  return run({ "config", "--file", path, "--no-includes", "--list", "-z" }, no_files)
end

--- The user's and the system's settings.
---@return string? listed as `git config --list -z` has them
---@return string? err
function M.own_settings()
  -- Neovim 0.10 passes no variables of the environment on, and so git would not find the files.
  local variables = { GIT_DIR = "/dev/null", HOME = vim.uv.os_homedir() }
  variables.XDG_CONFIG_HOME = vim.env.XDG_CONFIG_HOME
  return run({ "config", "--list", "-z" }, variables)
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
