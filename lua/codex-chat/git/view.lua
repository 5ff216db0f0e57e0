--- A git directory of the plugin's own that shows the project's repository: with copies of HEAD, of
--- the index and of the ignore rules, and with the objects through a descriptor. Git reads nothing
--- else of the repository: no configuration, no branches, no hooks, no grafts, no pointers to other
--- directories.
local M = {}

local change = require("codex-chat.disk.change")
local git = require("codex-chat.git")
local look = require("codex-chat.disk.look")
local repositories = require("codex-chat.git.repository")

local uv = vim.uv

local max_config, max_list, max_index = 1024 * 1024, 1024 * 1024, 64 * 1024 * 1024
--- How many places at the index's end may hold the name of its shared index.
local max_links = 10000
--- How old a change must be to be safe, in ns: the clocks of file systems tick every 10 ms or less.
local settled_ns = 20 * 1000 * 1000

--- Settings for comparing files. None names a file or a program.
local kept = {}
for name in
  ([[core.autocrlf core.eol core.filemode core.ignorecase core.symlinks core.precomposeunicode
  core.trustctime core.checkstat core.sparsecheckout core.sparsecheckoutcone core.quotepath
  diff.algorithm diff.renames diff.context diff.interhunkcontext diff.indentheuristic
  diff.noprefix diff.mnemonicprefix]]):gmatch("%S+")
do
  kept[name] = true
end

---@class (exact) codex-chat.GitView
---@field top string the work tree
---@field root string where git runs
---@field settings string[] arguments for git
---@field variables table<string, string>
---@field private dir string
---@field private objects integer a descriptor
---@field private shown string

---@param listed string the output of `git config --list -z`
---@param each fun(key: string, value: string)
local function each_setting(listed, each)
  for entry in listed:gmatch("[^%z]+") do
    local key, value = entry:match("^([^\n]*)\n(.*)$")
    each(key or entry, value or "true")
  end
end

--- The file with the user's own ignore rules.
---@param value string?
---@return string?
local function excludes(value)
  local home = uv.os_homedir() or ""
  local config = vim.env.XDG_CONFIG_HOME or home .. "/.config"
  local path = value and value:gsub("^~/", home .. "/") or config .. "/git/ignore"
  return path:sub(1, 1) == "/" and path or nil
end

---@param view codex-chat.GitView
---@param config string the repository's
---@return string? err
local function read_settings(view, config)
  local copy = view.dir .. "/seen"
  local ok, err = change.write(copy, config, nil, true)
  local listed = ok and git.settings_in(copy)
  if not listed then
    return ("its configuration cannot be read%s"):format(err and " (" .. err .. ")" or "")
  end
  local own = git.own_settings() or ""
  local values, ignored, format = {}, nil, "sha1"
  each_setting(own, function(key, value)
    values[key] = kept[key] and value:find("^[%w_-]+$") and value or values[key]
    ignored = key == "core.excludesfile" and value or ignored
  end)
  local problem
  each_setting(listed, function(key, value)
    values[key] = kept[key] and value:find("^[%w_-]+$") and value or values[key]
    if key == "extensions.objectformat" then
      format = value
    elseif key == "extensions.refstorage" and value ~= "files" then
      problem = ("it keeps its branches as %s"):format(value)
    elseif key == "core.worktree" then
      local base = value:sub(1, 1) == "/" and "" or view.git_dir .. "/"
      if uv.fs_realpath(base .. value) ~= view.top then
        problem = "the repository's files are elsewhere"
      end
    end
  end)
  if format ~= "sha1" and format ~= "sha256" then
    problem = problem or ("it names objects by %s"):format(format)
  end
  for key, value in pairs(values) do
    vim.list_extend(view.settings, { "-c", key .. "=" .. value })
  end
  local path = excludes(ignored)
  if path then
    vim.list_extend(view.settings, { "-c", "core.excludesFile=" .. path })
  end
  if format == "sha256" then
    local text = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
    change.write(view.dir .. "/config", text, nil, true)
  end
  return problem
end

--- Copies a file of the repository, if it exists.
---@param from string
---@param to string
---@param max_bytes integer
---@return string? err
local function copy(from, to, max_bytes)
  local text, err, stat = look.read(from, max_bytes)
  if not text then
    local _, _, code = look.lstat(from)
    return code ~= "ENOENT" and err or nil
  end
  -- Git treats files that are as old as the index as changed.
  local ok, why = change.write(to, text, stat, true)
  return not ok and why or nil
end

--- The shared index of a split index (its extension "link"). There may be any number of such files.
---@param view codex-chat.GitView
---@param repository codex-chat.Repository
---@return string? name
local function shared_index(view, repository)
  local names = {}
  for _, entry in ipairs(look.list(repository.git_dir) or {}) do
    if entry.name:find("^sharedindex%.%x+$") then
      names[entry.name] = true
    end
  end
  local index = next(names) and look.read(view.dir .. "/index", max_index)
  if not index then
    return nil
  end
  -- Extensions are at the end: four letters, four bytes of length, and here the shared index's hash.
  local reversed, at = index:reverse(), 1
  for _ = 1, max_links do
    at = reversed:find("knil", at, true)
    if not at then
      return nil
    end
    local from = #index - at + 2 + 4
    for _, length in ipairs({ 20, 32 }) do
      local hash = index:sub(from, from + length - 1):gsub(".", function(char)
        return ("%02x"):format(char:byte())
      end)
      if names["sharedindex." .. hash] then
        return "sharedindex." .. hash
      end
    end
    at = at + 4
  end
end

---@param view codex-chat.GitView
---@param repository codex-chat.Repository
---@return string? err
local function fill(view, repository)
  local config, err = look.read(repository.common_dir .. "/config", max_config)
  local head, why = repositories.head(repository)
  if not config or why then
    return err or why
  end
  local problem = read_settings(view, config)
  if problem then
    return problem
  end
  local ok, wrong =
    change.write(view.dir .. "/HEAD", (head or "ref: refs/heads/main") .. "\n", nil, true)
  if ok then
    ok, wrong = change.make_dir(view.dir .. "/refs")
  end
  if not ok then
    return wrong
  end
  local bytes = 0
  local function copy_index(name)
    local from = repository.git_dir .. "/" .. name
    local stat = look.lstat(from)
    bytes = bytes + (stat and stat.size or 0)
    if bytes > max_index then
      return ("its index is larger than %d MB"):format(max_index / 1024 / 1024)
    end
    return copy(from, view.dir .. "/" .. name, max_index)
  end
  problem = copy_index("index")
  local shared = not problem and shared_index(view, repository)
  problem = problem or (shared and copy_index(shared)) or nil
  for _, name in ipairs({ "exclude", "sparse-checkout" }) do
    local base = name == "exclude" and repository.common_dir or repository.git_dir
    local from, to = base .. "/info/" .. name, view.dir .. "/info/" .. name
    problem = problem or copy(from, to, max_list)
  end
  return problem
end

---@param view codex-chat.GitView
local function objects_of(view)
  return ("/proc/self/fd/%d"):format(view.objects)
end

--- Removes the view's directory.
---@param view codex-chat.GitView
function M.close(view)
  if view.objects then
    uv.fs_close(view.objects)
  end
  vim.fn.delete(view.dir, "rf")
end

--- How old a directory of a killed Neovim may get, in seconds.
local max_age = 3600

--- Removes old directories.
---@param views string
local function sweep(views)
  for _, entry in ipairs(look.list(views) or {}) do
    local path = views .. "/" .. entry.name
    local stat = uv.fs_lstat(path)
    if stat and os.time() - stat.mtime.sec > max_age then
      vim.fn.delete(path, "rf")
    end
  end
end

--- Opens a view of the project's repository; the caller closes it.
---@param root string
---@return codex-chat.GitView? view
---@return string? err
function M.open(root)
  local repository, err = repositories.find(root)
  if not repository then
    return nil, err
  end
  local name = assert(uv.random(12)):gsub(".", function(char)
    return ("%02x"):format(char:byte())
  end)
  local views = require("codex-chat.config").get().state_dir .. "/views"
  local dir = views .. "/" .. name
  sweep(views)
  local ok, why = change.make_dir(dir)
  if not ok then
    return nil, why
  end
  ---@type table
  local view = {
    top = repository.top,
    root = uv.fs_realpath(root),
    git_dir = repository.git_dir,
    dir = dir,
    settings = {},
    shown = repository.common_dir .. "/objects",
  }
  local problem
  view.objects, problem = look.enter(view.shown)
  if view.objects then
    view.variables = {
      GIT_DIR = dir,
      GIT_WORK_TREE = repository.top,
      GIT_OBJECT_DIRECTORY = ("/proc/%d/fd/%d"):format(uv.os_getpid(), view.objects),
    }
    problem = fill(view, repository)
  end
  if not problem then
    local _
    _, problem = repositories.judge_objects(objects_of(view), view.shown, view.top)
  end
  if problem then
    M.close(view)
    return nil, problem
  end
  return view
end

--- Now, for `is_settled`.
---@return { sec: integer, nsec: integer }
function M.now()
  return assert(uv.clock_gettime("realtime"))
end

---@param changed { sec: integer, nsec: integer }
---@param began { sec: integer, nsec: integer }
---@return boolean
local function is_before(changed, began)
  return (began.sec - changed.sec) * 1e9 + (began.nsec - changed.nsec) > settled_ns
end

--- Whether the files that git has read since `began` stayed the same: no entry of their directories was
--- added, removed or replaced. The agent cannot hide that, since it cannot set a directory's ctime.
---@param view codex-chat.GitView
---@param paths string[] files below the top that git has read
---@param began { sec: integer, nsec: integer }
---@return string? err
---@return boolean? may_pass whether another try may succeed
function M.moved(view, paths, began)
  local latest, err = repositories.judge_objects(objects_of(view), view.shown, view.top)
  if not latest then
    return err, false
  elseif not is_before(latest, began) then
    return ("%s was changed while git read it"):format(view.shown), true
  end
  local seen = {}
  for _, path in ipairs(paths) do
    local dirs = { view.top }
    for name in path:gmatch("([^/]+)/") do
      dirs[#dirs + 1] = dirs[#dirs] .. "/" .. name
    end
    for _, dir in ipairs(dirs) do
      if not seen[dir] then
        seen[dir] = true
        local stat, why, code = uv.fs_lstat(dir)
        if stat and (stat.type ~= "directory" or not is_before(stat.ctime, began)) then
          return ("%s was changed while git read it"):format(dir), stat.type == "directory"
        elseif not stat and code ~= "ENOENT" and code ~= "ENOTDIR" then
          return why, false
        end
      end
    end
  end
end

return M
