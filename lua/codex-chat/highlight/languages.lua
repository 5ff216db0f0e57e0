--- The parsers and queries that may be used on an answer.
---
--- SECURITY: each fence of an answer names a language, and so a file of native code that Neovim would
--- load. Parsers and queries come from outside every project, by real paths.
local M = {}

local outside = require("codex-chat.outside")
local runtime = require("codex-chat.outside.runtime")

---@class (exact) codex-chat.Language
---@field name string
---@field highlights vim.treesitter.Query?
---@field injections vim.treesitter.Query?

--- How many names are cached: an answer may invent any number.
local max_known = 500

---@type table<string, codex-chat.Language|false>
local known = {}
local count = 0
---@type string? the version that `known` belongs to
local key

--- Which of these files Neovim has loaded. It loads a language once, by the 'runtimepath' of that
--- moment, and does not say from where. A plugin manager replaces files that are in use.
---@param paths string[]
---@return string?
local function loaded_of(paths)
  local maps = io.open("/proc/self/maps", "r")
  if not maps then
    return nil
  end
  local text = maps:read("*a")
  maps:close()
  for _, path in ipairs(paths) do
    if
      text:find(" " .. path .. "\n", 1, true) or text:find(" " .. path .. " (deleted)\n", 1, true)
    then
      return path
    end
  end
end

--- The files of languages that were used before.
---@type table<string, string>
local used = {}

--- Whether Neovim has loaded the language from outside every project, or loads it from there now.
---@param name string
---@return boolean
local function is_trusted(name)
  -- A WebAssembly parser does not appear among the files in use.
  local paths = vim.tbl_filter(function(path)
    return not vim.endswith(path, ".wasm")
  end, runtime.files(("parser/%s.*"):format(name)))
  local before = used[name]
  -- The file may have been removed since; the language stays loaded.
  if before and runtime.is_outside(vim.fs.dirname(before)) then
    table.insert(paths, before)
  end
  local path = loaded_of(paths)
  if not path and paths[1] then
    local ok, added = pcall(vim.treesitter.language.add, name, { path = paths[1] })
    path = ok and added ~= false and loaded_of({ paths[1] }) or nil
  end
  used[name] = path or before
  return path ~= nil
end

--- The files of a query, after those of the languages that it inherits from.
---@param name string
---@param kind string
---@param is_included boolean?
---@param seen table<string, true>
---@return string[]
local function query_files(name, kind, is_included, seen)
  if seen[name] then
    return {}
  end
  seen[name] = true
  local files, base, extensions = {}, nil, {}
  for _, path in ipairs(runtime.files(("queries/%s/%s.scm"):format(name, kind))) do
    local extends = false
    for line in io.lines(path) do
      if line:sub(1, 1) ~= ";" then
        break
      end
      local names = line:match("^;+%s*inherits%s*:?%s*([a-z_,()]+)%s*$")
      for word in (names or ""):gmatch("[^,]+") do
        local optional = word:match("^%((.*)%)$")
        if word == name then
          extends = true
        elseif not (optional and is_included) then
          vim.list_extend(files, query_files(optional or word, kind, true, seen))
        end
      end
      extends = extends or line:find("^;+%s*extends%s*$") ~= nil
    end
    if extends then
      table.insert(extensions, path)
    else
      base = base or path
    end
  end
  return vim.list_extend(vim.list_extend(files, { base }), extensions)
end

---@param name string
---@param kind "highlights"|"injections"
---@return vim.treesitter.Query?
local function query(name, kind)
  local ok, parsed = pcall(function()
    local texts = {}
    for _, path in ipairs(query_files(name, kind, false, {})) do
      local file = assert(io.open(path, "r"))
      table.insert(texts, file:read("*a"))
      file:close()
    end
    return #texts > 0 and vim.treesitter.query.parse(name, table.concat(texts, "\n")) or nil
  end)
  return ok and parsed or nil
end

---@param name string
---@return codex-chat.Language|false
local function find(name)
  return is_trusted(name)
    and {
      name = name,
      highlights = query(name, "highlights"),
      injections = query(name, "injections"),
    }
end

--- How long a change of the state directory or the configuration may go unseen, in ms. What the cache
--- has is loaded, so only a language that is missing in it waits for that.
local look_ms = 1000
---@type { at: integer, runtimepath: string, packpath: string, projects: integer }?
local looked

--- Whether the cache was looked at a moment ago, and nothing has changed that can be told without the
--- disk.
---@return boolean
local function is_fresh()
  local now, runtimepath, packpath = vim.uv.now(), vim.o.runtimepath, vim.o.packpath
  local projects = outside.count()
  if
    looked
    and now - looked.at < look_ms
    and runtimepath == looked.runtimepath
    and packpath == looked.packpath
    and projects == looked.projects
  then
    return true
  end
  looked = { at = now, runtimepath = runtimepath, packpath = packpath, projects = projects }
  return false
end

--- Clears the cache if 'runtimepath' or the projects have changed; called before each text.
function M.refresh()
  if count < max_known and is_fresh() then
    return
  end
  local now = runtime.key()
  if now ~= key or count >= max_known then
    known, count, key = {}, 0, now
  end
end

--- The language of this name; false if there is none, or it may not be used.
---@param name string of a parser
---@return codex-chat.Language|false
function M.get(name)
  if known[name] == nil then
    known[name], count = find(name), count + 1
  end
  return known[name]
end

--- The language of a word in a fence or a query: a parser's name or a file type.
---@param word string
---@return codex-chat.Language|false
function M.of_word(word)
  local name = word:gsub("%s+", ""):lower():gsub("%-", "_")
  if not name:find("^[%w_]+$") or #name > 64 then
    return false
  end
  local found = M.get(name)
  local other = not found and vim.treesitter.language.get_lang(name)
  return found or (other and other ~= name and other:find("^[%w_]+$") and M.get(other)) or false
end

return M
