--- Colours code whose language has no parser by Neovim's own syntax files.
---
--- A block is coloured once, in slices of time, in a scratch buffer for its language. The file's items
--- are looked up column by column, and become extmarks like all others.
---
--- SECURITY: a syntax file is a program, and an answer names it. It comes from outside every project.
local M = {}

local languages = require("codex-chat.highlight.languages")
local runtime = require("codex-chat.outside.runtime")

local api = vim.api
--- Where the blocks are that are not coloured in full yet.
local places_ns = api.nvim_create_namespace("codex-chat.highlight.syntax")

--- A longer block stays plain, and so do blocks with a longer line.
local max_lines, max_line_bytes = 1000, 500
--- The time of one tick, and the processor's time for a line. A language with a slower line is not coloured
--- any more: the text is hostile, and patterns may take quadratic time.
local slice_ms, line_ms = 3, 30
--- How many languages and blocks are kept, and how many spans of a block: they are shown in one go.
local max_languages, max_known, max_spans = 20, 20, 1500

--- Words of fences that are not the names of syntax files, nor endings of files.
local aliases =
  { bash = "sh", shell = "sh", console = "sh", golang = "go", csharp = "cs", jsonc = "json" }

---@class (exact) codex-chat.SyntaxSpan
---@field [1] integer line in the block, 1-based
---@field [2] integer first byte, 0-based
---@field [3] integer last byte, exclusive
---@field [4] string group

---@class (exact) codex-chat.SyntaxBlock
---@field name string of the syntax file
---@field lines string[]
---@field spans codex-chat.SyntaxSpan[]
---@field at integer lines whose spans are known

--- A block that is being coloured in a place.
---@class (exact) codex-chat.SyntaxJob
---@field buf integer
---@field ns integer
---@field mark integer of the block's first line
---@field key string
---@field block codex-chat.SyntaxBlock
---@field painted integer spans that are shown

---@type codex-chat.SyntaxJob[] the first is worked on
local jobs = {}
---@type table<string, codex-chat.SyntaxBlock> by name and text
local known = {}
---@type string[] the keys of `known`, the oldest first
local order = {}
---@type table<string, integer|false> scratch buffers by language; false: not to be coloured
local buffers = {}
---@type table<string, string|false> names of syntax files by the words of fences
local names = {}
--- What `names` were found with.
local searched ---@type string?
---@type table<integer, string|false> groups by the id of an item
local groups = {}
local is_working = false

--- The syntax file for the word of a fence: the language itself, or what a file with that ending is.
---@param word string
---@return string? name
local function name_of(word)
  word = word:lower()
  if not word:find("^[%w_]+$") or #word > 32 then
    return nil
  elseif searched ~= vim.o.runtimepath then
    names, searched = {}, vim.o.runtimepath
  elseif names[word] ~= nil then
    return names[word] or nil
  end
  local _, by_ending = pcall(vim.filetype.match, { filename = "x." .. word })
  local found = false ---@type string|false
  for _, name in ipairs({ aliases[word] or word, by_ending or word }) do
    local is_name = type(name) == "string" and name:find("^[%w_]+$")
    if not found and is_name and #runtime.files(("syntax/%s.vim"):format(name)) > 0 then
      found = name
    end
  end
  if vim.tbl_count(names) >= 200 then
    names = {}
  end
  names[word] = found
  return found or nil
end

--- The scratch buffer of a language.
---@param name string
---@return integer? buf
local function buffer_of(name)
  local known_buf = buffers[name]
  if known_buf == false or (known_buf and api.nvim_buf_is_valid(known_buf)) then
    return known_buf or nil
  elseif vim.tbl_count(buffers) >= max_languages then
    return nil
  end
  local ignored, message = vim.o.eventignore, vim.v.errmsg
  vim.o.eventignore = "all"
  local ok, buf = pcall(function()
    local fresh = api.nvim_create_buf(false, true)
    vim.bo[fresh].undolevels = -1
    vim.bo[fresh].modeline = false
    -- Most shell code is bash.
    vim.b[fresh].is_bash = 1
    api.nvim_buf_call(fresh, function()
      runtime.without_projects(name, function()
        vim.cmd(("silent! runtime! syntax/%s.vim"):format(name))
      end)
    end)
    return fresh
  end)
  vim.o.eventignore = ignored
  api.nvim_set_vvar("errmsg", message)
  buffers[name] = ok and buf or false
  return ok and buf or nil
end

--- Whether a group is linked to another one, whatever a scheme links that to.
---@param name string
---@param other string
---@return boolean
local function is_linked(name, other)
  local link = name ---@type string?
  for _ = 1, 5 do
    link = link and api.nvim_get_hl(0, { name = link, create = false }).link
    if not link or link == other then
      break
    end
  end
  return link == other
end

--- The group of an item; false where it has no colour.
---@param id integer
---@return string|false
local function group_of(id)
  local group = groups[id]
  if group == nil then
    local name = vim.fn.synIDattr(id, "name")
    group = name ~= "" and name or false
    if group and is_linked(name, "Error") then
      -- A piece of code is not wrong because the rest of it is missing.
      group = false
    elseif group and is_linked(name, "Comment") then
      group = "CodexChatComment"
    end
    groups[id] = group
  end
  return group
end

--- Finds the spans of the block's next line.
---@param block codex-chat.SyntaxBlock
local function read_line(block)
  local row = block.at + 1
  block.at = row
  local size = #block.lines[row]
  if size == 0 then
    return
  end
  local ids = api.nvim_eval(("map(range(1,%d),'synID(%d,v:val,1)')"):format(size, row))
  local first, group = 1, false ---@type integer, string|false
  for col = 1, size + 1 do
    local id = ids[col]
    local here = id and id > 0 and group_of(id)
    if here ~= group then
      if group then
        table.insert(block.spans, { row, first - 1, col - 1, group })
      end
      first, group = col, here or false
    end
  end
end

--- Finds spans until the time is over.
---@param block codex-chat.SyntaxBlock
---@param stop integer ns
---@return boolean ok
local function read(block, stop)
  local is_fresh = buffers[block.name] == nil
  local buf = buffer_of(block.name)
  if not buf or is_fresh then
    -- Loading the file takes about as long as a slice.
    return buf ~= nil
  end
  if block.at == 0 then
    api.nvim_buf_set_lines(buf, 0, -1, false, block.lines)
  end
  local is_slow = false
  local ok = pcall(api.nvim_buf_call, buf, function()
    local now = os.clock()
    while block.at < #block.lines and vim.uv.hrtime() < stop and not is_slow do
      read_line(block)
      local after = os.clock()
      is_slow, now = (after - now) * 1000 > line_ms, after
    end
  end)
  if not ok or is_slow then
    buffers[block.name] = false
    pcall(api.nvim_buf_delete, buf, { force = true })
    return false
  end
  return true
end

--- Shows spans until the time is over.
---@param job codex-chat.SyntaxJob
---@param stop integer ns
---@return boolean ok false where the text is another one now
local function show(job, stop)
  local spans = job.block.spans
  local row = api.nvim_buf_is_loaded(job.buf)
    and api.nvim_buf_get_extmark_by_id(job.buf, places_ns, job.mark, {})[1]
  local checked
  while row and job.painted < #spans do
    local span = spans[job.painted + 1]
    local at = row + span[1] - 1
    if checked ~= at then
      if
        vim.uv.hrtime() > stop
        or api.nvim_buf_get_lines(job.buf, at, at + 1, false)[1] ~= job.block.lines[span[1]]
      then
        return vim.uv.hrtime() > stop
      end
      checked = at
    end
    job.painted = job.painted + 1
    api.nvim_buf_set_extmark(job.buf, job.ns, at, span[2], {
      end_col = span[3],
      hl_group = span[4],
      priority = 110,
    })
  end
  return row ~= nil and row ~= false
end

---@param job codex-chat.SyntaxJob
local function drop(job)
  for n, other in ipairs(jobs) do
    if other == job then
      table.remove(jobs, n)
      break
    end
  end
  if api.nvim_buf_is_valid(job.buf) then
    api.nvim_buf_del_extmark(job.buf, places_ns, job.mark)
  end
end

---@param key string
---@param block codex-chat.SyntaxBlock
local function keep(key, block)
  if known[key] or #block.spans > max_spans then
    return
  end
  known[key] = block
  table.insert(order, key)
  if #order > max_known then
    known[table.remove(order, 1)] = nil
  end
end

local function work()
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  while jobs[1] and vim.uv.hrtime() < stop do
    local job = jobs[1]
    local block = job.block
    local ok = (block.at == #block.lines or read(block, stop)) and show(job, stop)
    local is_loaded = block.at > 0 or not ok
    if ok and block.at == #block.lines then
      keep(job.key, block)
    end
    if not ok or (block.at == #block.lines and job.painted == #block.spans) then
      drop(job)
    end
    if not is_loaded then
      break
    end
  end
  is_working = jobs[1] ~= nil
  if is_working then
    vim.defer_fn(work, 1)
  end
end

--- Colours a block of code, now or in a while.
---@param buf integer
---@param ns integer where its chunk is painted
---@param row integer the first line's, below the fence
---@param lines string[]
---@param word string of the fence
function M.paint(buf, ns, row, lines, word)
  -- As the user wants it.
  if #lines == 0 or #lines > max_lines or not vim.g.syntax_on then
    return
  end
  local language = languages.of_word(word)
  local name = not (language and language.highlights) and name_of(word)
  if not name or buffers[name] == false then
    return
  end
  for _, line in ipairs(lines) do
    if #line > max_line_bytes or line:find("%z") then
      return
    end
  end
  for _, job in ipairs(vim.list_slice(jobs)) do
    if
      job.buf == buf
      and api.nvim_buf_get_extmark_by_id(buf, places_ns, job.mark, {})[1] == row
    then
      drop(job)
    end
  end
  local key = name .. "\n" .. table.concat(lines, "\n")
  local block = known[key] or { name = name, lines = lines, spans = {}, at = 0 }
  local mark = api.nvim_buf_set_extmark(buf, places_ns, row, 0, { right_gravity = false })
  local job = { buf = buf, ns = ns, mark = mark, key = key, block = block, painted = 0 }
  if known[key] then
    show(job, math.huge)
    api.nvim_buf_del_extmark(buf, places_ns, mark)
    return
  end
  table.insert(jobs, job)
  if not is_working then
    is_working = true
    vim.defer_fn(work, 1)
  end
end

return M
