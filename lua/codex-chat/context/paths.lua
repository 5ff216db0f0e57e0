--- Which of the editor's buffers and files the agent may see: text files of the project.
---
--- SECURITY: the agent writes in the project and can make links there. A path is judged by where it
--- leads, and a buffer also by where its path led when its text was read: otherwise a link to a secret
--- that the user has looked at could be replaced by a file, and the secret's text would pass for the
--- file's.
local M = {}

local api = vim.api

--- The largest file that is shown.
local max_bytes = 64 * 1024 * 1024

---@type table<integer, string[]> where a buffer's path led before and after it was read, by buffer
local led_to = {}
--- Where it led when the buffer was made, as by the quickfix list.
---@type table<integer, string>
local made_at = {}
--- Buffers whose text did not come from a file of the project.
---@type table<integer, true>
local foreign = {}
--- Larger texts are compared only when Codex asks for them, so that a log of 40 MB is not read twice
--- when it is opened; and the largest file with a text of this size, in any encoding.
local max_compared_bytes, max_read_bytes = 1024 * 1024, 4 * 1024 * 1024
--- Buffers that were not compared yet, with the root of their project.
---@type table<integer, string>
local uncompared = {}

---@param path string
---@return string
local function resolved(path)
  return vim.uv.fs_realpath(path) or vim.fs.normalize(path, { expand_env = false })
end

--- The path below the root; nil if the agent must not see it.
---@param path string absolute, links resolved
---@param root string
---@return string?
local function below(path, root)
  if not vim.startswith(path, root .. "/") then
    return nil
  end
  local relative = path:sub(#root + 2)
  return not require("codex-chat.disk.inside").is_hidden(relative) and relative or nil
end

--- The text of a buffer's file, as the editor would show it.
---@param buf integer
---@param root string
---@param limit? integer in bytes
---@return string[]? lines
---@return string? err
local function on_disk(buf, root, limit)
  local path = api.nvim_buf_get_name(buf)
  local inside = require("codex-chat.disk.inside")
  local text, err, problem = inside.read(path, root, limit or max_bytes)
  if problem == "absent" then
    -- A file that does not exist yet.
    return { "" }
  elseif not text then
    return nil, err
  end
  local encoding, format = vim.bo[buf].fileencoding, vim.bo[buf].fileformat
  if encoding ~= "" and encoding ~= "utf-8" then
    text = vim.iconv(text, encoding, "utf-8") or text
  end
  if text:find("%z") then
    return nil, "it is not plain text on disk; read the file itself"
  elseif format == "mac" then
    text = text:gsub("\r", "\n")
  elseif format == "dos" then
    text = text:gsub("\r\n", "\n")
  end
  text = text:gsub("^\239\187\191", ""):gsub("\n$", "")
  return vim.split(text, "\n", { plain = true })
end

--- Whether a buffer has the same text as its file.
---@param buf integer
---@param root string
---@param limit? integer in bytes
---@return boolean
local function is_same(buf, root, limit)
  local lines = on_disk(buf, root, limit)
  return lines ~= nil and vim.deep_equal(lines, api.nvim_buf_get_lines(buf, 0, -1, false))
end

--- Whether a buffer's text came from elsewhere, or may have.
---@param buf integer
---@return boolean
local function is_foreign(buf)
  local root = uncompared[buf]
  if root and not vim.bo[buf].modified then
    uncompared[buf] = nil
    foreign[buf] = not is_same(buf, root) or nil
  end
  return foreign[buf] or uncompared[buf] ~= nil
end

--- Whether a buffer's path led into the project when its text was read.
---@param buf integer
---@param root string
---@return boolean
function M.was_inside(buf, root)
  if is_foreign(buf) then
    return false
  end
  for _, path in ipairs(led_to[buf] or {}) do
    if not vim.startswith(path, root .. "/") then
      return false
    end
  end
  return true
end

--- Whether it led to a path that the agent may see.
---@param buf integer
---@param root string
---@return boolean
local function was_below(buf, root)
  for _, path in ipairs(led_to[buf] or {}) do
    if not below(path, root) then
      return false
    end
  end
  return true
end

--- The name by which the agent knows a file; nil if it must not see the file.
---@param path string
---@param root string
---@return string?
function M.name(path, root)
  return path ~= "" and below(resolved(path), root) or nil
end

--- The name of a loaded buffer's file; nil for all other buffers.
---@param buf integer
---@param root string
---@return string?
function M.of_buf(buf, root)
  if not api.nvim_buf_is_loaded(buf) or vim.bo[buf].buftype ~= "" then
    return nil
  end
  return was_below(buf, root) and M.name(api.nvim_buf_get_name(buf), root) or nil
end

--- The name of a buffer that need not be loaded, as in a list; nil if the agent must not see it.
---@param buf integer
---@param root string
---@return string?
function M.listed(buf, root)
  local made = made_at[buf]
  local may_tell = was_below(buf, root) and (not made or below(made, root))
  return may_tell and M.name(api.nvim_buf_get_name(buf), root) or nil
end

--- All loaded files of the project, sorted by name.
---@param root string
---@return { buf: integer, name: string }[]
function M.all(root)
  local list = {}
  for _, buf in ipairs(api.nvim_list_bufs()) do
    local name = M.of_buf(buf, root)
    if name then
      list[#list + 1] = { buf = buf, name = name }
    end
  end
  table.sort(list, function(a, b)
    return a.name < b.name
  end)
  return list
end

--- The open file of this path, relative to the root or absolute.
---@param root string
---@param path any
---@return integer? buf
---@return string? err
function M.find(root, path)
  if type(path) ~= "string" or path == "" then
    return nil, "path is needed"
  end
  for _, listed in ipairs(M.all(root)) do
    if listed.name == path or root .. "/" .. listed.name == path or "./" .. listed.name == path then
      return listed.buf
    end
  end
  return nil, ("%s is not open in the editor; read the file itself"):format(path:sub(1, 300))
end

--- A buffer's text.
---
--- SECURITY: the text of an unmodified buffer is read from the file, which the agent can read anyway.
--- The buffer may have been read through a link that was gone a moment later, and a file that the
--- agent changes is loaded again as often as it likes.
---@param buf integer
---@param root string
---@return string[]? lines
---@return string? err
function M.lines(buf, root)
  if vim.bo[buf].modified and is_foreign(buf) then
    return nil, "its text did not come from the project; read the file itself"
  elseif vim.bo[buf].modified then
    return api.nvim_buf_get_lines(buf, 0, -1, false)
  end
  return on_disk(buf, root)
end

---@param buf integer
---@param has_begun? boolean whether the text was just read
local function note(buf, has_begun)
  if not api.nvim_buf_is_valid(buf) then
    return
  end
  local name = api.nvim_buf_get_name(buf)
  local place = name ~= "" and resolved(name) or nil
  led_to[buf] = has_begun and led_to[buf] or {}
  table.insert(led_to[buf], place)
  made_at[buf] = made_at[buf] or place
end

--- Compares a buffer that was just read with its file, if that is in a project.
---@param buf integer
local function compare(buf)
  foreign[buf], uncompared[buf] = nil, nil
  local path = api.nvim_buf_get_name(buf)
  for _, chat in ipairs(require("codex-chat.registry").all()) do
    if vim.startswith(path, chat.root .. "/") and vim.bo[buf].buftype == "" then
      if api.nvim_buf_get_offset(buf, api.nvim_buf_line_count(buf)) > max_compared_bytes then
        uncompared[buf] = chat.root
      else
        foreign[buf] = not is_same(buf, chat.root, max_read_bytes) or nil
      end
    end
  end
end

local watching = false

--- Starts to record where paths lead when buffers are read. Idempotent.
function M.watch()
  if watching then
    return
  end
  watching = true
  for _, buf in ipairs(api.nvim_list_bufs()) do
    note(buf)
  end
  local group = api.nvim_create_augroup("codex-chat.tools", {})
  -- The quickfix list makes buffers without reading them; its entries were read just before.
  api.nvim_create_autocmd({ "BufNew", "BufReadPre", "BufNewFile", "BufFilePost", "BufWritePost" }, {
    group = group,
    callback = function(args)
      note(args.buf)
    end,
  })
  api.nvim_create_autocmd("BufReadPost", {
    group = group,
    callback = function(args)
      note(args.buf, true)
      compare(args.buf)
    end,
  })
  api.nvim_create_autocmd("BufWipeout", {
    group = group,
    callback = function(args)
      led_to[args.buf], made_at[args.buf] = nil, nil
      foreign[args.buf], uncompared[args.buf] = nil, nil
    end,
  })
end

return M
