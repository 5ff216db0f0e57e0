--- Reads what a file held before a change, as Neovim would read it.
---
--- SECURITY: the text is the agent's or a stranger's. It is read as bytes and put into a scratch buffer:
--- no autocommand, no modeline and no `.editorconfig` sees it.
local M = {}

local api = vim.api

--- The largest file that is shown, as for a reload (host/reload.lua).
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

--- The file type that Neovim finds for a path, without running anything.
---@param path string
---@param lines string[]
---@return string
function M.filetype(path, lines)
  local ok, found = pcall(vim.filetype.match, { filename = path, contents = lines })
  return ok and found or ""
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
