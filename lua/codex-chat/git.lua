--- Git in a project: run so that nothing which a repository configures is executed or even read, and
--- so that it reads no other repository.
---
--- SECURITY: where no repository was, an agent may have made this one, and it can change it at any
--- moment. So git runs in a directory of ours (`git/view.lua`) with no configuration file at all, and
--- is given the settings that it needs as arguments.
local M = {}

--- How long git may take, in ms.
local timeout_ms = 10000

--- The PATH without what lies in a project. SECURITY: direnv and its like put directories there in
--- which the agent can write programs.
---@param root string
---@return string
local function path_outside(root)
  local inner = vim.uv.fs_realpath(root) or root
  local kept = vim.tbl_filter(function(dir)
    local place = vim.uv.fs_realpath(dir) or vim.fs.normalize(dir)
    return dir:sub(1, 1) == "/" and place ~= inner and not vim.startswith(place, inner .. "/")
  end, vim.split(vim.env.PATH or "", ":", { plain = true }))
  return table.concat(kept, ":")
end

--- The beginning of a command line for a program that works in a project. SECURITY: it is none of the
--- project's. (Neovim 0.10 passes no variables where it is to clear those that there are, so that env
--- sets them.)
---@param root string
---@param name string
---@param variables? table<string, string>
---@return string[]
function M.command(root, name, variables)
  local argv = { "/usr/bin/env", "PATH=" .. path_outside(root) }
  for variable, value in pairs(variables or {}) do
    argv[#argv + 1] = variable .. "=" .. value
  end
  argv[#argv + 1] = name
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

--- The command line and options of `vim.system` for git.
---@param root string
---@param args string[]
---@param variables table<string, string>
---@return string[] argv
---@return table opts
local function prepared(root, args, variables)
  local argv = M.command(root, "git", vim.tbl_extend("error", variables, fixed))
  vim.list_extend(argv, { "--no-pager", "--no-optional-locks" })
  vim.list_extend(argv, { "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null" })
  vim.list_extend(argv, args)
  return argv, { timeout = timeout_ms, cwd = "/", env = environment(), clear_env = true }
end

---@param ok boolean
---@param out vim.SystemCompleted|string
---@return string? stdout
---@return string? err
local function result(ok, out)
  if not ok then
    return nil, tostring(out)
  elseif out.code == 124 then
    return nil, "git took longer than 10 s"
  end
  return out.code == 0 and out.stdout or nil, vim.trim(out.stderr or "")
end

--- The settings in a file that lies where no agent writes; files that it includes are not read.
---@param root string
---@param path string
---@return string? listed as `git config --list -z` has them
---@return string? err
function M.settings_in(root, path)
  local args = { "config", "--file", path, "--no-includes", "--list", "-z" }
  local argv, opts = prepared(root, args, no_files)
  return result(pcall(require("codex-chat.context.run").system, argv, opts))
end

--- The user's and the system's settings.
---@param root string
---@return string? listed as `git config --list -z` has them
---@return string? err
function M.own_settings(root)
  local argv, opts = prepared(root, { "config", "--list", "-z" }, { GIT_DIR = "/dev/null" })
  return result(pcall(require("codex-chat.context.run").system, argv, opts))
end

--- Runs git in a view of the project's repository.
---@param view codex-chat.GitView
---@param args string[]
---@return string? stdout
---@return string? err
function M.run(view, args)
  local variables = vim.tbl_extend("error", view.variables, no_files)
  local argv, opts =
    prepared(view.top, vim.list_extend(vim.list_slice(view.settings), args), variables)
  opts.cwd = view.root
  return result(pcall(require("codex-chat.context.run").system, argv, opts))
end

return M
