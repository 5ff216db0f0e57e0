--- The files of a patch that waits: what each holds, what the patch makes of it, and what the user does.
local M = {}

local text = require("codex-chat.review.text")

local api = vim.api

---@class (exact) codex-chat.PatchFile
---@field path string absolute, with the patch
---@field name string as the user sees it
---@field old? string its path before, if that was another one
---@field change "created"|"deleted"|"changed"|"renamed"
---@field why? string why it cannot be edited
---@field before? string its bytes; nil if it is not there, or cannot be read
---@field after? string its bytes with the patch
---@field lines? string[] those of the right buffer as the patch would make them
---@field form? { format: string, eol: boolean, bomb: boolean }
---@field left integer buffer
---@field right integer buffer
---@field is_text boolean whether both sides can be compared
---@field is_left_out? boolean whether the file is to stay as it is

---@class codex-chat.TextShape
---@field lines string[]
---@field form { format: string, eol: boolean, bomb: boolean }

--- The lines of a text in UTF-8, and what Neovim keeps beside them.
---@param bytes string
---@return codex-chat.TextShape
local function shape(bytes)
  local bomb = bytes:sub(1, 3) == "\239\187\191"
  local body = bomb and bytes:sub(4) or bytes
  local lines = vim.split(body, "\n", { plain = true })
  local eol = body == "" or lines[#lines] == ""
  if eol and body ~= "" then
    lines[#lines] = nil
  end
  local format = "dos"
  for i, line in ipairs(lines) do
    if line:sub(-1) ~= "\r" and (i < #lines or eol) then
      format = "unix"
      break
    end
  end
  if body == "" or not body:find("\n", 1, true) then
    format = "unix"
  end
  if format == "dos" then
    for i, line in ipairs(lines) do
      lines[i] = line:gsub("\r$", i < #lines and "" or (eol and "" or "\r"))
    end
  end
  return { lines = lines, form = { format = format, eol = eol, bomb = bomb } }
end

---@param buf integer
---@return { format: string, eol: boolean, bomb: boolean }
local function form_of(buf)
  local options = vim.bo[buf]
  return { format = options.fileformat, eol = options.endofline, bomb = options.bomb }
end

--- The bytes that a right buffer stands for.
---@param file codex-chat.PatchFile
---@return string?
function M.bytes(file)
  if file.why or file.change == "deleted" or not api.nvim_buf_is_loaded(file.right) then
    return file.after
  end
  local lines = api.nvim_buf_get_lines(file.right, 0, -1, false)
  local form = form_of(file.right)
  if vim.deep_equal(form, file.form) and vim.deep_equal(lines, file.lines) then
    return file.after
  elseif #lines == 1 and lines[1] == "" then
    return ""
  end
  for i, line in ipairs(lines) do
    -- So Neovim keeps a NUL.
    lines[i] = line:gsub("\n", "\0")
  end
  local ends = { dos = "\r\n", mac = "\r", unix = "\n" }
  local body = table.concat(lines, ends[form.format]) .. (form.eol and ends[form.format] or "")
  return (form.bomb and "\239\187\191" or "") .. body
end

--- Whether the user has made something else of a file than the patch.
---@param file codex-chat.PatchFile
---@return boolean
function M.is_edited(file)
  return file.is_left_out == true or M.bytes(file) ~= file.after
end

--- Whether a buffer holds words of the user's.
---@param file codex-chat.PatchFile
---@return boolean
function M.has_words(file)
  return not file.why and file.change ~= "deleted" and M.bytes(file) ~= file.after
end

---@param file codex-chat.PatchFile
---@return string[]? lines nil if the bytes are no text
local function left_lines(file)
  if not file.before then
    return {}
  elseif text.is_binary(file.before) then
    return nil
  end
  return shape(file.before).lines
end

---@param file codex-chat.PatchFile
---@param filetype string
---@return integer
local function make_right(file, filetype)
  local found = shape(file.after --[[@as string]])
  local buf = text.scratch("patch/" .. file.name, found.lines, filetype)
  local options = vim.bo[buf]
  options.modifiable, options.buftype, options.bufhidden = true, "acwrite", "hide"
  options.fileformat, options.endofline, options.bomb =
    found.form.format, found.form.eol, found.form.bomb
  options.undolevels = api.nvim_get_option_value("undolevels", { scope = "global" })
  options.modified = false
  file.lines, file.form = api.nvim_buf_get_lines(buf, 0, -1, false), form_of(buf)
  return buf
end

--- Makes the buffers of a file.
---@param file codex-chat.PatchFile
local function make(file)
  local lines = left_lines(file)
  if file.why then
    file.right = text.scratch("patch/" .. file.name, {
      "Neovim cannot show this file with the patch:",
      file.why .. ".",
    }, "")
  elseif file.change == "deleted" then
    file.right = text.scratch("patch/" .. file.name, {}, "")
  end
  local filetype = text.filetype(file.path, lines or {})
  if not file.right then
    file.right = make_right(file, filetype)
  end
  local shown = lines or { ("It is binary and has %d bytes."):format(#file.before) }
  file.left = text.scratch("before/" .. file.name, shown, filetype)
  file.is_text = not file.why and lines ~= nil
end

--- The files of the host's answer, with their buffers.
---@param proposal codex-chat.Proposal
---@param root string
---@return codex-chat.PatchFile[]
function M.of(proposal, root)
  return vim.tbl_map(function(proposed)
    local file = {
      path = proposed.path,
      name = text.relative(proposed.path, root),
      old = proposed.old,
      change = proposed.change,
      why = proposed.why,
      before = proposed.before and text.read(proposed.before),
      after = proposed.after and text.read(proposed.after),
    }
    if not file.why and file.change ~= "deleted" and not file.after then
      file.why = "its text cannot be read"
    end
    make(file)
    if proposal.fixed then
      vim.bo[file.right].modifiable = false
    end
    return file
  end, proposal.files)
end

--- What the host is told of the files that the user has changed.
---@param files codex-chat.PatchFile[]
---@return table[]
function M.edits(files)
  local edits = {}
  for _, file in ipairs(files) do
    if M.is_edited(file) then
      edits[#edits + 1] = {
        path = file.path,
        old = file.old,
        text = not file.is_left_out and vim.base64.encode(M.bytes(file) --[[@as string]]) or nil,
      }
    end
  end
  return edits
end

return M
