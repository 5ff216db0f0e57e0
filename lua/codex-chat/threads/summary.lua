--- What a list of conversations shows of each: read from the files, a few at a time and without
--- waiting for any of them.
local M = {}

local uv = vim.uv

--- How much of a file is read to begin with: front matter and first query fit; and how much at most,
--- for counting turns.
local head_bytes, max_bytes = 64 * 1024, 8 * 1024 * 1024
--- How many files are open at a time.
local at_once = 16

---@class (exact) codex-chat.ThreadSummary
---@field path string
---@field project string? its root, as the front matter says
---@field thread string?
---@field name string the user's name for it, else its first query, else the file's name
---@field query string the first line of the first query; empty where nothing was sent
---@field turns integer queries so far
---@field more boolean whether there are more turns than were counted
---@field mtime integer seconds since 1970
---@field archived boolean

--- A front matter value on one line, without its quotes.
---@param value string
---@return string
local function unquote(value)
  local inner = value:match('^"(.*)"%s*$')
  if inner then
    return (
      inner
        :gsub("\\x(%x%x)", function(hex)
          return string.char(tonumber(hex, 16))
        end)
        :gsub("\\(.)", "%1")
    )
  end
  return (value:match("^'(.*)'%s*$") or value:match("^(.-)%s*$"))
end

--- One line for a menu: no control characters, no marks of markdown, not long.
---@param text string
---@return string
local function title(text)
  local line = text:gsub("%c", " "):gsub("^[%s#>*_`-]+", ""):gsub("%s+$", "")
  if vim.fn.strchars(line) > 72 then
    line = vim.fn.strcharpart(line, 0, 71) .. "…"
  end
  return line
end

M.title = title

--- Reads what the beginning of a conversation tells.
---@param text string
---@param path string
---@return codex-chat.ThreadSummary
function M.parse(text, path)
  local meta, query = {}, nil
  local lines = vim.split(text, "\r?\n")
  local row = 1
  if lines[1] == "---" then
    row = 2
    while lines[row] and not lines[row]:match("^%-%-%-%s*$") do
      local key, value = lines[row]:match("^(%w+):%s*(.+)$")
      if key then
        meta[key] = unquote(value)
      end
      row = row + 1
    end
  end
  local in_query = false
  for i = row, #lines do
    if lines[i]:match("^## You%s*$") then
      in_query = true
    elseif lines[i]:match("^## Codex%s*$") then
      break
    elseif in_query and lines[i]:find("%w") or (in_query and lines[i]:find("[\128-\255]")) then
      query = title(lines[i])
      break
    end
  end
  local name = meta.name and title(meta.name) or ""
  if name == "" then
    name = query or vim.fs.basename(path):gsub("%.md$", "")
  end
  return {
    path = path,
    project = meta.project,
    thread = meta.thread,
    name = name,
    query = query or "",
    turns = 0,
    more = false,
    mtime = 0,
    archived = vim.fs.basename(vim.fs.dirname(path)) == "archive",
  }
end

--- How many answers begin in `text`.
---@param text string
---@return integer
local function count_turns(text)
  local _, n = ("\n" .. text .. "\n"):gsub("\n## Codex[ \t]*\r?%f[\n]", "")
  return n
end

---@param path string
---@param done fun(summary: codex-chat.ThreadSummary?)
local function read(path, done)
  uv.fs_open(path, "r", 0, function(_, fd)
    if not fd then
      done(nil)
      return
    end
    local function finish(summary)
      uv.fs_close(fd, function() end)
      done(summary)
    end
    uv.fs_fstat(fd, function(_, stat)
      if not stat or stat.type ~= "file" then
        finish(nil)
        return
      end
      local parts, size = {}, 0
      local function more()
        local want = size == 0 and head_bytes or 1024 * 1024
        uv.fs_read(fd, want, size, function(err, data)
          if not err and data and data ~= "" then
            parts[#parts + 1] = data
            size = size + #data
            if size < math.min(stat.size, max_bytes) then
              more()
              return
            end
          end
          vim.schedule(function()
            local text = table.concat(parts)
            local summary = M.parse(text:sub(1, head_bytes), path)
            summary.turns = count_turns(text)
            summary.more = size < stat.size
            summary.mtime = stat.mtime.sec
            finish(summary)
          end)
        end)
      end
      more()
    end)
  end)
end

--- Reads the summaries of these files; those that cannot be read are left out. The order stays.
---@param paths string[]
---@param done fun(summaries: codex-chat.ThreadSummary[])
function M.read_all(paths, done)
  local found, next_path, open, told = {}, 1, 0, false
  local function step()
    while open < at_once and next_path <= #paths do
      local n = next_path
      next_path, open = next_path + 1, open + 1
      read(paths[n], function(summary)
        found[n] = summary
        open = open - 1
        vim.schedule(step)
      end)
    end
    if open == 0 and next_path > #paths and not told then
      told = true
      local list = {}
      for n = 1, #paths do
        list[#list + 1] = found[n]
      end
      done(list)
    end
  end
  step()
end

return M
