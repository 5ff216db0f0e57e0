--- Changes of the project that are not committed.
local M = {}

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

--- What stands before a program that works in a project. SECURITY: it is none of the project's; and
--- of a partial clone, which an agent may have made, git would fetch what is missing by a program that
--- is configured. (Neovim 0.10 passes no variables where it is to clear those that there are.)
---@param root string
---@return string[]
function M.before(root)
  local path = "PATH=" .. path_outside(root)
  return { "/usr/bin/env", path, "GIT_ALLOW_PROTOCOL=", "GIT_NO_LAZY_FETCH=1" }
end

--- Runs git so that nothing which a repository configures is executed: no pager, no file system
--- monitor, no hook. Variables of the editor's own git, as within a commit message, do not count.
---@param root string
---@param args string[]
---@return string? stdout
---@return string? err
local function git(root, args)
  local argv = M.before(root)
  vim.list_extend(argv, { "git", "--no-pager", "--no-optional-locks", "-C", root })
  vim.list_extend(argv, { "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null" })
  local env = { LC_ALL = "C", GIT_TERMINAL_PROMPT = "0" }
  for name, value in pairs(vim.fn.environ()) do
    if not name:find("^GIT_") and not env[name] then
      env[name] = value
    end
  end
  local opts = { timeout = 10000, env = env, clear_env = true }
  local ok, out = pcall(require("codex-chat.context.run").system, vim.list_extend(argv, args), opts)
  if not ok then
    return nil, tostring(out)
  end
  if out.code == 124 then
    return nil, "git took longer than 10 s"
  end
  return out.code == 0 and out.stdout or nil, vim.trim(out.stderr or "")
end

--- Settings that switch off every filter which the configuration names: `git diff` runs them to
--- compare files, and an attribute, which the agent may write, is enough to choose one.
---@param root string
---@return string[]
local function without_filters(root)
  local args = {}
  local names = git(root, { "config", "--null", "--name-only", "--get-regexp", "^filter\\." })
  for name in (names or ""):gmatch("[^%z]+") do
    local driver, key = name:match("^filter%.(.+)%.([^.]+)$")
    if driver then
      local value = key == "required" and "false" or ""
      vim.list_extend(args, { "-c", ("filter.%s.%s=%s"):format(driver, key, value) })
    end
  end
  return args
end

--- Whether the files that git compares are those beside its directory. SECURITY: an agent that has
--- made the repository may have named another directory, and files there would be told of.
---@param root string
---@return boolean
local function is_in_place(root)
  local top = vim.trim(git(root, { "rev-parse", "--show-toplevel" }) or "")
  local found = vim.fs.find(".git", { path = root, upward = true })[1]
  local beside = found and vim.uv.fs_realpath(vim.fs.dirname(found))
  return beside ~= nil and beside == vim.uv.fs_realpath(top)
end

--- What `git diff HEAD` says, and the names of files that git does not know yet.
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.get(root)
  local args = without_filters(root)
  if git(root, { "rev-parse", "--git-dir" }) and not is_in_place(root) then
    return nil, "git could not tell the changes: the repository is of files elsewhere"
  end
  vim.list_extend(args, { "diff", "--no-ext-diff", "--no-textconv", "--no-color" })
  -- Into a repository within this one git would go with that one's configuration.
  vim.list_extend(args, { "--submodule=short", "--ignore-submodules=dirty", "HEAD", "--" })
  local changes, err = git(root, args)
  if not changes then
    return nil, "git could not tell the changes: " .. err
  end
  local lines = vim.split(changes, "\n", { plain = true, trimempty = true })
  local fresh = git(root, { "ls-files", "-o", "--exclude-standard", "-z" }) or ""
  local names = vim.split(fresh, "\0", { plain = true, trimempty = true })
  if #lines == 0 and #names == 0 then
    return nil, "there are no changes that are not committed"
  end
  for _, name in ipairs(names) do
    lines[#lines + 1] = "Untracked file: " .. name:gsub("%c", "?")
  end
  return require("codex-chat.context.part").of_lines(
    "uncommitted changes",
    "Changes that are not committed",
    lines,
    "diff"
  )
end

return M
