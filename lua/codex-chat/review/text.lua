--- Reads what a file held before a change, as Neovim would read it.
---
--- SECURITY: the text is the agent's or a stranger's. It is read as bytes and put into a scratch buffer:
--- no autocommand, no modeline and no `.editorconfig` sees it.
local M = {}

local api = vim.api

--- The largest file that is shown, as for a reload (reload/init.lua).
M.max_bytes = 20 * 1024 * 1024

---@class (exact) codex-chat.TextForm how a file's bytes stand for its lines
---@field encoding string as 'fileencoding'
---@field format string as 'fileformat'

--- The form of a loaded buffer's file.
---@param buf? integer
---@return codex-chat.TextForm
function M.form_of(buf)
  if not buf or not api.nvim_buf_is_loaded(buf) then
    return { encoding = "utf-8", format = "unix" }
  end
  local encoding = vim.bo[buf].fileencoding
  return { encoding = encoding ~= "" and encoding or "utf-8", format = vim.bo[buf].fileformat }
end

--- Whether Neovim's buffers cannot show the bytes as text.
---@param bytes string
---@return boolean
function M.is_binary(bytes)
  return bytes:sub(1, 8192):find("%z") ~= nil
end

--- The lines of a file.
---@param bytes string
---@param form codex-chat.TextForm
---@return string[]
function M.lines(bytes, form)
  local text = bytes
  if form.encoding == "utf-8" then
    text = text:gsub("^\239\187\191", "")
  elseif not form.encoding:find("^utf%-8") then
    text = vim.iconv(bytes, form.encoding, "utf-8") or bytes
  end
  local lines = vim.split(text, form.format == "mac" and "\r" or "\n", { plain = true })
  if lines[#lines] == "" then
    lines[#lines] = nil
  end
  if form.format == "dos" then
    for i, line in ipairs(lines) do
      lines[i] = line:gsub("\r$", "")
    end
  end
  return lines
end

--- Reads a file that the host has written into the state directory.
---@param path string
---@return string? bytes
---@return string? err
function M.read(path)
  return require("codex-chat.disk.look").read(path, M.max_bytes)
end

--- The file type that Neovim finds for a path and a text, without setting it.
---@param path string
---@param lines string[]
---@return string
function M.filetype(path, lines)
  local ignored = vim.o.eventignore
  vim.o.eventignore = "all"
  -- Some of Neovim's detections need a buffer.
  local buf = api.nvim_create_buf(false, true)
  M.put(buf, vim.list_slice(lines, 1, 200))
  local ok, found = pcall(vim.filetype.match, { filename = path, buf = buf })
  api.nvim_buf_delete(buf, { force = true })
  vim.o.eventignore = ignored
  return ok and found or ""
end

--- Has Neovim read a file of the project that the user has not asked for by name: without its modeline,
--- and without file type plugins of the project.
--- SECURITY: the agent wrote both.
---@param buf integer of the file
---@param filetype string that it will get
---@param read fun()
function M.read_quietly(buf, filetype, read)
  local global = { scope = "global" }
  local modeline = api.nvim_get_option_value("modeline", global)
  api.nvim_set_option_value("modeline", false, global)
  local ok, err = pcall(function()
    require("codex-chat.outside.runtime").without_projects(filetype, read)
  end)
  api.nvim_set_option_value("modeline", modeline, global)
  vim.bo[buf].modeline = modeline
  if not ok then
    error(err, 0)
  end
end

--- A path below the project as the user sees it.
---@param path string
---@param root string
---@return string
function M.relative(path, root)
  local inside = vim.startswith(path, root .. "/") and path:sub(#root + 2) or path
  return (inside:gsub("%c", "?"))
end

--- Makes a read-only buffer of this name with these lines.
---@param name string after `codex-chat://`
---@param lines string[]
---@param filetype string "" for none
---@return integer buf
function M.scratch(name, lines, filetype)
  local buf = api.nvim_create_buf(false, true)
  -- A review that is just being closed may still have the name.
  if not pcall(api.nvim_buf_set_name, buf, "codex-chat://" .. name) then
    pcall(api.nvim_buf_set_name, buf, ("codex-chat://%s#%d"):format(name, buf))
  end
  vim.bo[buf].modeline, vim.bo[buf].swapfile, vim.bo[buf].undolevels = false, false, -1
  M.put(buf, lines)
  if filetype ~= "" then
    require("codex-chat.outside.runtime").set_filetype(buf, filetype)
  end
  vim.bo[buf].modifiable, vim.bo[buf].modeline = false, false
  return buf
end

--- Writes a buffer to its file, with the end of its last line as it was.
---@param buf integer
---@return boolean ok
---@return string? err
function M.write(buf)
  local fix = vim.bo[buf].fixendofline
  vim.bo[buf].fixendofline = false
  local ok, err = pcall(api.nvim_buf_call, buf, function()
    vim.cmd("silent update")
  end)
  if api.nvim_buf_is_valid(buf) then
    vim.bo[buf].fixendofline = fix
  end
  return ok, err and (tostring(err):gsub("^.*Vim[^:]*:", "")) or nil
end

--- Replaces the text of a read-only buffer.
---@param buf integer
---@param lines string[]
function M.put(buf, lines)
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(
    buf,
    0,
    -1,
    false,
    vim.tbl_map(function(line)
      return (line:gsub("\n", " "))
    end, lines)
  )
  vim.bo[buf].modifiable, vim.bo[buf].modified = false, false
end

return M
