--- What worker threads do with conversations: listing directories and reading what a list shows.
--- Runs without the editor's API, from arguments and results that are plain values.
local M = {}

local uv = vim.uv

--- How much of a file is read at a time, and how much at most, for counting turns.
local chunk_bytes, max_bytes = 256 * 1024, 64 * 1024 * 1024
--- What a line is cut to, and how much front matter and how long a query may be.
local max_line, max_front, max_query = 4096, 200, 40

--- SECURITY: conversations may lie in the project, where the sandbox can write. What is no plain
--- file, such as a link that leads elsewhere or a pipe that never ends, is none of them.
---@param dir string where this module lies
---@param state string the state directory
---@return table the module that looks at files
function M.look(dir, state)
  local look = dofile(vim.uv.fs_realpath(dir .. "/../disk/look.lua"))
  look.state_dir = state
  return look
end

---@class (exact) codex-chat.ListedFile
---@field dir integer which directory of those asked for
---@field name string
---@field mtime number seconds since 1970
---@field ctime number the same of its last change of any kind, such as being renamed here
---@field size integer

---@param look table
---@param n integer
---@param dir string
---@param files codex-chat.ListedFile[]
---@return string? err
local function list_dir(look, n, dir, files)
  local entries, err = look.list(dir, ".md")
  for _, entry in ipairs(entries or {}) do
    local name, stat = entry.name, entry.stat
    if stat and stat.type == "file" and name:sub(1, 1) ~= "." then
      files[#files + 1] = {
        dir = n,
        name = name,
        mtime = stat.mtime.sec + stat.mtime.nsec / 1e9,
        ctime = stat.ctime.sec + stat.ctime.nsec / 1e9,
        size = stat.size,
      }
    end
  end
  return err
end

--- The conversations in these directories, the one written last first.
---@param dirs string[] one that does not exist is empty
---@param dir string where this module lies
---@param state string the state directory
---@return { files: codex-chat.ListedFile[], problems: string[] }
function M.list(dirs, dir, state)
  local look = M.look(dir, state)
  local files, problems = {}, {}
  for n, each in ipairs(dirs) do
    problems[#problems + 1] = list_dir(look, n, each, files)
  end
  table.sort(files, function(a, b)
    if a.mtime ~= b.mtime then
      return a.mtime > b.mtime
    end
    if a.name ~= b.name then
      return a.name > b.name
    end
    return a.dir < b.dir
  end)
  return { files = files, problems = problems }
end

--- The state directories of all projects, and their roots where these are noted.
---@param projects string
---@return { dir: string, root: string? }[]
function M.projects(projects)
  local found = {}
  local handle = uv.fs_scandir(projects)
  if not handle then
    return found
  end
  for name in uv.fs_scandir_next, handle do
    local dir = projects .. "/" .. name
    local stat = uv.fs_lstat(dir)
    if stat and stat.type == "directory" then
      local file = io.open(dir .. "/root", "r")
      local root = file and file:read("*l")
      if file then
        file:close()
      end
      found[#found + 1] = { dir = dir, root = root and root:sub(1, 1) == "/" and root or nil }
    end
  end
  return found
end

local escapes = { n = " ", t = " ", r = " ", ["0"] = "" }

---@param code integer
---@return string UTF-8
local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xc0 + math.floor(code / 0x40), 0x80 + code % 0x40)
  end
  return string.char(
    0xe0 + math.floor(code / 0x1000),
    0x80 + math.floor(code / 0x40) % 0x40,
    0x80 + code % 0x40
  )
end

--- A front matter value that stands on one line; nil for any other.
---@param value string
---@return string?
local function scalar(value)
  local inner = value:match('^"(.*)"%s*$') or value:match('^"(.*)"%s+#.*$')
  if inner then
    return (
      inner
        :gsub("\\\\", "\\x5c")
        :gsub("\\x(%x%x)", function(hex)
          return utf8(tonumber(hex, 16))
        end)
        :gsub("\\u(%x%x%x%x)", function(hex)
          return utf8(tonumber(hex, 16))
        end)
        :gsub("\\([^\\])", function(char)
          return escapes[char] or char
        end)
    )
  end
  inner = value:match("^'(.*)'%s*$") or value:match("^'(.*)'%s+#.*$")
  if inner then
    return (inner:gsub("''", "'"))
  end
  if value:find("^[|>&*!%[{\"'#]") or value == "~" or value == "null" then
    return nil
  end
  -- `%s+#` costs the square of a run of blanks.
  local comment = value:find("%s#")
  return comment and (value:sub(1, comment - 1):match("^(.*%S)") or "") or value
end

---@class (exact) codex-chat.Head what a file's text tells
---@field name string? as the front matter says
---@field thread string?
---@field project string?
---@field query string? a title for the first query
---@field turns integer answers so far
---@field more boolean? whether there is more than was read

--- Takes a conversation's lines one after another.
---@param title table the module of titles
---@return fun(line: string) feed
---@return fun(): codex-chat.Head finish
---@return fun(): boolean wants_all whether lines that cannot be headings or fences matter
local function reader(title)
  local head, front, at = { turns = 0 }, {}, "start"
  local fence, query = nil, nil
  local feed

  local function body(line)
    local run = line:match("^ ? ? ?(```+)") or line:match("^ ? ? ?(~~~+)")
    if fence then
      if run and run:sub(1, #fence) == fence and line:find("^ *[`~]+[ \t]*$") then
        fence = nil
      end
    elseif run and not (run:byte() == 96 and line:find("`", #line:match("^ *`+") + 1, true)) then
      fence = run
    end
    local heading = not fence and line:match("^## (%a+)[ \t]*$")
    if heading == "You" or heading == "Codex" then
      if query and not head.query then
        local words = title.of(query)
        head.query = words ~= "" and words or nil
      end
      query = heading == "You" and not head.query and {} or nil
      head.turns = head.turns + (heading == "Codex" and 1 or 0)
    elseif query and #query < max_query then
      query[#query + 1] = line
    end
  end

  local function not_front_matter()
    local lines = front
    at, front = "body", {}
    for _, line in ipairs(lines) do
      body(line)
    end
  end

  local function meta()
    for _, line in ipairs(front) do
      local key, value = line:match("^(%a+):%s+(.*)$")
      value = value and (value:match("^(.*%S)") or "")
      if key == "name" or key == "thread" or key == "project" then
        head[key] = scalar(value)
      end
    end
  end

  function feed(line)
    line = line:gsub("\r$", "")
    if at == "body" then
      body(line)
    elseif at == "start" then
      line = line:gsub("^\239\187\191", "")
      at = line:find("^%-%-%-%s*$") and "front" or "body"
      if at == "body" then
        body(line)
      end
    elseif line:find("^%-%-%-%s*$") or line:find("^%.%.%.%s*$") then
      meta()
      at = "body"
    else
      front[#front + 1] = line
      if #front > max_front then
        not_front_matter()
      end
    end
  end

  local function finish()
    if at == "front" then
      not_front_matter()
    end
    if query and not head.query then
      local words = title.of(query)
      head.query = words ~= "" and words or nil
    end
    return head
  end

  return feed,
    finish,
    function()
      return at ~= "body" or (query ~= nil and #query < max_query)
    end
end

--- What may begin a heading or a fence: `#`, a backtick, `~`, a space.
local marks = { [35] = true, [96] = true, [126] = true, [32] = true }

---@param look table
---@param path string
---@param title table
---@return codex-chat.Head? head
---@return string? err
local function read(look, path, title)
  local fd, err, stat = look.open(path)
  if not fd or not stat then
    return nil, err
  end
  local feed, finish, wants_all = reader(title)
  local carry, offset = "", 0
  while offset < math.min(stat.size, max_bytes) do
    local data
    data, err = uv.fs_read(fd, chunk_bytes, offset)
    if not data or data == "" then
      break
    end
    offset = offset + #data
    local pos = 1
    while true do
      local stop = data:find("\n", pos, true)
      if not stop then
        break
      end
      if carry ~= "" then
        feed((carry .. data:sub(pos, stop - 1)):sub(1, max_line))
        carry = ""
      elseif marks[data:byte(pos)] or wants_all() then
        feed(data:sub(pos, math.min(stop, pos + max_line) - 1))
      end
      pos = stop + 1
    end
    if #carry < max_line then
      carry = carry .. data:sub(pos, pos + max_line)
    end
  end
  uv.fs_close(fd)
  if carry ~= "" then
    feed(carry:sub(1, max_line))
  end
  if err and offset == 0 then
    return nil, err
  end
  local head = finish()
  head.more = offset < stat.size or nil
  return head
end

--- What these conversations tell of themselves, in their order.
---@param paths string[]
---@param dir string where this module and that of titles lie
---@param state string the state directory
---@return (codex-chat.Head|{ err: string })[]
function M.heads(paths, dir, state)
  local title, look = dofile(dir .. "/title.lua"), M.look(dir, state)
  local heads = {}
  for n, path in ipairs(paths) do
    local head, err = read(look, path, title)
    heads[n] = head or { err = err or "it cannot be read" }
  end
  return heads
end

--- The same of lines, for what is open in the editor.
---@param lines string[]
---@param title table
---@return codex-chat.Head
function M.head_of(lines, title)
  local feed, finish = reader(title)
  for _, line in ipairs(lines) do
    feed(line)
  end
  return finish()
end

return M
