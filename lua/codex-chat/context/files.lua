--- The files of a project: listed in the background, cached for a while, never waited for.
local M = {}

--- How long a list is fresh, and how many files it has at most.
local fresh_ms, max_files = 10000, 100000
--- How many repositories are listed at most, the project's own included.
local max_repositories = 100

---@type table<string, { files: string[], at: integer, asking: boolean, callbacks: fun()[] }>
local lists = {}

--- Directories that are left out where nothing says which files are ignored.
local heavy = { [".git"] = true, node_modules = true, target = true, [".cache"] = true }

--- Lists every file below a directory, ignored ones too: for repositories that git refuses, and for
--- machines with neither git nor ripgrep. Reads a few directories at a time.
---@param root string
---@param done fun(files: string[])
local function walk(root, done)
  local look = require("codex-chat.disk.look")
  local files = {}
  local queue = { "" }
  local function look_into(below)
    local dir = (root .. "/" .. below):gsub("/+$", "")
    -- SECURITY: a directory may have become a link since it was named.
    for _, entry in ipairs(look.list(dir) or {}) do
      local path = below .. entry.name
      if entry.type == "directory" then
        if not heavy[entry.name] then
          queue[#queue + 1] = path .. "/"
        end
      elseif entry.type == "file" or entry.type == "link" then
        files[#files + 1] = path
      end
    end
  end
  local function step()
    for _ = 1, 20 do
      local dir = table.remove(queue)
      if not dir or #files >= max_files then
        table.sort(files)
        done(files)
        return
      end
      look_into(dir)
    end
    -- Not vim.schedule(): Neovim takes no key before all that is scheduled is done.
    vim.defer_fn(step, 1)
  end
  step()
end

---@param out string names with NUL between
---@return string[]
local function names_in(out)
  return vim.split(out, "\0", { plain = true, trimempty = true })
end

---@param files string[]
---@return string[] at most `max_files`
local function bounded(files)
  return #files > max_files and vim.list_slice(files, 1, max_files) or files
end

--- The output of `git ls-files --cached --others --stage`: files, and directories that are
--- repositories, such as submodules.
---@param out string
---@param deleted table<string, true>
---@return string[] files
---@return string[] repositories
local function sorted_out(out, deleted)
  local files, nested, seen = {}, {}, {}
  for _, entry in ipairs(names_in(out)) do
    local mode, name = entry:match("^(%d%d%d%d%d%d) %x+ %d\t(.*)$")
    name = name or entry
    local is_directory = mode == "160000" or name:sub(-1) == "/"
    name = name:gsub("/$", "")
    -- A file with a conflict is listed once for each side.
    if not seen[name] and not deleted[name] then
      seen[name] = true
      table.insert(is_directory and nested or files, name)
    end
  end
  return files, nested
end

--- Lists by git; `failed` is called if git is missing or refuses.
---@param root string
---@param done fun(files: string[], repositories: string[])
---@param failed fun()
local function by_git(root, done, failed)
  local views = require("codex-chat.git.view")
  require("codex-chat.async").async(function()
    local view = views.open(root)
    if not view then
      return nil
    end
    local git = require("codex-chat.git")
    local args = { "ls-files", "-co", "-s", "--exclude-standard", "-z" }
    local ok, out = pcall(git.run, view, args)
    local also, gone = pcall(git.run, view, { "ls-files", "-d", "-z" })
    views.close(view)
    return ok and out or nil, also and gone or nil
  end, function(out, gone)
    if not out then
      failed()
      return
    end
    local deleted = {}
    for _, name in ipairs(names_in(gone or "")) do
      deleted[name] = true
    end
    done(sorted_out(out, deleted))
  end)
end

--- Lists by git, with nested repositories; `failed` is called if git is missing or refuses.
---@param root string
---@param done fun(files: string[])
---@param failed fun()
local function by_git_below(root, done, failed)
  local files, waiting = {}, { "" }
  local function add(below, found, nested)
    for _, name in ipairs(found) do
      files[#files + 1] = below .. name
    end
    for _, name in ipairs(nested or {}) do
      if #waiting < max_repositories then
        waiting[#waiting + 1] = below .. name .. "/"
      end
    end
  end
  local at = 0
  local function list_next()
    at = at + 1
    local below = waiting[at]
    if not below or #files >= max_files then
      table.sort(files)
      done(bounded(files))
      return
    end
    local dir = root .. "/" .. below:gsub("/$", "")
    by_git(below == "" and root or dir, function(found, nested)
      add(below, found, nested)
      list_next()
    end, function()
      if below == "" then
        failed()
        return
      end
      walk(dir, function(found)
        add(below, found)
        list_next()
      end)
    end)
  end
  list_next()
end

--- Lists by ripgrep; `failed` is called if it is missing or refuses.
---@param root string
---@param done fun(files: string[])
---@param failed fun()
local function by_ripgrep(root, done, failed)
  local argv = require("codex-chat.outside.programs").argv("rg")
  if not argv then
    failed()
    return
  end
  vim.list_extend(argv, { "--files", "--null", "--hidden", "--no-require-git" })
  vim.list_extend(argv, { "--no-messages", "--no-config", "--glob", "!.git", "--sort", "path" })
  local started = pcall(vim.system, argv, { cwd = root, timeout = 20000 }, function(out)
    vim.schedule(function()
      if out.code ~= 0 then
        failed()
      else
        done(bounded(names_in(out.stdout)))
      end
    end)
  end)
  if not started then
    failed()
  end
end

---@param root string
---@param done fun(files: string[])
local function ask(root, done)
  by_git_below(root, done, function()
    by_ripgrep(root, done, function()
      walk(root, done)
    end)
  end)
end

--- The project's files from the last listing; `done` is called when a new listing differs.
---@param root string
---@param done? fun()
---@return string[] paths relative to the root; a new table for each listing
function M.list(root, done)
  local list = lists[root]
  if not list then
    list = { files = {}, at = -fresh_ms - 1, asking = false, callbacks = {} }
    lists[root] = list
  end
  if not list.asking and vim.uv.now() - list.at > fresh_ms then
    list.asking = true
    ask(root, function(found)
      -- Nobody types a name with a line break or an escape sequence.
      local files = vim.tbl_filter(function(path)
        return not path:find("%c")
      end, found)
      local is_same = vim.deep_equal(files, list.files)
      list.files = is_same and list.files or files
      list.at, list.asking = vim.uv.now(), false
      local callbacks = list.callbacks
      list.callbacks = {}
      for _, tell in ipairs(is_same and {} or callbacks) do
        tell()
      end
    end)
  end
  if list.asking and done then
    list.callbacks[#list.callbacks + 1] = done
  end
  return list.files
end

--- The files that exist at this moment: a list may be older.
---@param root string
---@param files string[]
---@return string[]
function M.existing(root, files)
  return vim.tbl_filter(function(path)
    local _, _, code = vim.uv.fs_lstat(root .. "/" .. path)
    return code ~= "ENOENT" and code ~= "ENOTDIR"
  end, files)
end

require("codex-chat.events").hook("FilesChanged", function()
  for _, list in pairs(lists) do
    list.at = -fresh_ms - 1
  end
end)

return M
