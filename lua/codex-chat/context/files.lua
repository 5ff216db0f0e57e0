--- The files of a project: listed beside the editor, kept for a while, never waited for.
local M = {}

--- How long a list counts as fresh, and how many files one has at most.
local fresh_ms, max_files = 10000, 100000

---@type table<string, { files: string[], at: integer, asking: boolean }>
local lists = {}

--- Directories that are walked past where git does not say what is ignored.
local heavy =
  { [".git"] = true, node_modules = true, target = true, [".cache"] = true, dist = true }

---@param root string
---@param done fun(files: string[])
local function walk(root, done)
  local files, queue = {}, { "" }
  local function step()
    for _ = 1, 50 do
      local dir = table.remove(queue)
      if not dir or #files >= max_files then
        done(files)
        return
      end
      for name, kind in vim.fs.dir(root .. "/" .. dir) do
        local path = dir == "" and name or dir .. "/" .. name
        if kind == "file" then
          files[#files + 1] = path
        elseif kind == "directory" and not heavy[name] then
          queue[#queue + 1] = path
        end
      end
    end
    vim.schedule(step)
  end
  step()
end

---@param root string
---@param list { files: string[], at: integer, asking: boolean }
---@param done? fun()
local function ask(root, list, done)
  list.asking = true
  local function take(files)
    list.files, list.at, list.asking = files, vim.uv.now(), false
    if done then
      done()
    end
  end
  local argv = { "git", "-c", "core.fsmonitor=false", "-C", root }
  vim.list_extend(argv, { "ls-files", "-co", "--exclude-standard", "-z" })
  local started = pcall(vim.system, argv, { timeout = 20000 }, function(out)
    vim.schedule(function()
      if out.code ~= 0 then
        walk(root, take)
        return
      end
      take(
        vim.list_slice(
          vim.split(out.stdout, "\0", { plain = true, trimempty = true }),
          1,
          max_files
        )
      )
    end)
  end)
  if not started then
    walk(root, take)
  end
end

--- The project's files as they were listed last; `done` is called when a newer list has come.
---@param root string
---@param done? fun()
---@return string[] paths relative to the root
function M.list(root, done)
  local list = lists[root]
  if not list then
    list = { files = {}, at = -fresh_ms - 1, asking = false }
    lists[root] = list
  end
  if not list.asking and vim.uv.now() - list.at > fresh_ms then
    ask(root, list, done)
  end
  return list.files
end

return M
