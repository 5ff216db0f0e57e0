--- Resolves mentions of files, buffers and selections.
local M = {}

local part = require("codex-chat.context.part")

local api = vim.api

--- How much of a file is read to recognize text.
local head_bytes = 8192
--- The largest file that lines are taken from.
local max_file_bytes = 64 * 1024 * 1024

--- The loaded buffer of a file, if it has unsaved changes.
---@param full string
---@param root string
---@return integer?
local function unsaved_buf(full, root)
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buf) and vim.bo[buf].modified then
      local name = api.nvim_buf_get_name(buf)
      local is_it = name ~= "" and (name == full or vim.uv.fs_realpath(name) == full)
      -- SECURITY: its text may have been read through a link at that time.
      if is_it and require("codex-chat.context.paths").was_inside(buf, root) then
        return buf
      end
    end
  end
end

---@param buf integer
---@param root string
---@return string name
---@return string saved a note if the text is not in the file
local function describe(buf, root)
  local path = api.nvim_buf_get_name(buf)
  if path == "" then
    return "an unnamed buffer", " (not saved in a file)"
  end
  return part.shown(part.relative(path, root)),
    vim.bo[buf].modified and " (with unsaved changes)" or ""
end

---@param name string
---@param count integer lines of the file
---@param mention { first?: integer, last?: integer }
---@return integer? first
---@return integer|string last or the error
local function range(name, count, mention)
  local first, last = mention.first or 1, mention.last or count
  if first > last then
    first, last = last, first
  end
  if first < 1 then
    return nil, "lines are counted from 1"
  end
  if last > count then
    return nil, ("%s has only %d line%s"):format(name, count, count == 1 and "" or "s")
  end
  return first, last
end

--- A buffer's text, or some lines of it.
---@param buf integer
---@param root string
---@param mention { first?: integer, last?: integer }
---@return codex-chat.ContextPart?
---@return string? err
function M.of_buf(buf, root, mention)
  local label, saved = describe(buf, root)
  local first, last = range(label, api.nvim_buf_line_count(buf), mention)
  if not first then
    return nil, last --[[@as string]]
  end
  if mention.first then
    label = ("%s %s"):format(label, part.lines_text(first, last --[[@as integer]]))
  end
  local lines = api.nvim_buf_get_lines(buf, first - 1, last --[[@as integer]], false)
  if not table.concat(lines):find("%S") then
    return nil, ("%s is empty"):format(label)
  end
  label = label .. saved
  return part.of_lines(label, label .. ", as it is in the editor", lines, vim.bo[buf].filetype)
end

--- What was selected last in a buffer.
---@param buf integer
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.of_selection(buf, root)
  local selection = require("codex-chat.context.selection")
  local s = selection.last(buf)
  local name, saved = describe(buf, root)
  if not s then
    return nil, ("nothing was selected in %s yet"):format(name)
  end
  if not table.concat(s.lines):find("%S") then
    return nil, ("the selection in %s is empty"):format(name)
  end
  local label = ("%s %s%s"):format(name, selection.place(s):gsub("(%d)-(%d)", "%1–%2"), saved)
  return part.of_lines(label, label .. ", as it is in the editor", s.lines, vim.bo[buf].filetype)
end

--- Endings that mean a file in any project.
local endings = {}
for ending in
  ([[c cc cfg conf cpp cs css csv go h hpp html ini java js json jsx kt lock lua md mjs php pl py rb
  rs scss sh sql svelte swift toml ts tsx txt vim vue xml yaml yml zig]]):gmatch("%S+")
do
  endings[ending] = true
end

---@param ending string?
---@param root string
---@return boolean
local function is_file_ending(ending, root)
  if not ending or endings[ending:lower()] then
    return ending ~= nil
  end
  for _, file in ipairs(require("codex-chat.context.files").list(root)) do
    if vim.endswith(file, "." .. ending) then
      return true
    end
  end
  return false
end

--- Whether a path that does not exist is not meant as a path: `@param`, `@app.route(…)`,
--- `@scope/package@1.2.3`, an alias like `@/components`.
---@param path string
---@param root string
---@return boolean
local function is_word(path, root)
  if path:find("^[%w_.]+%(") then
    return true
  end
  if is_file_ending(path:match("%.([%w_]+)$"), root) then
    return false
  end
  local top = path:match("^([^/]*)/")
  return top == nil or top == "" or vim.uv.fs_stat(root .. "/" .. top) == nil
end

---@param mention codex-chat.Mention
---@param root string
---@return string? err nil if it is not a mention
local function missing(mention, root)
  local path = mention.argument --[[@as string]]
  if mention.quoted or mention.first then
    return ("there is no %s in the project"):format(path)
  end
  local words = {}
  for _, word in ipairs(require("codex-chat.context.mention").words) do
    words[#words + 1] = word[1]
  end
  local near = #path >= 4
    and require("codex-chat.did_you_mean").find(path, words, #path > 6 and 2 or 1)
  if near then
    return ("there is no such mention; did you mean @%s?"):format(near)
  end
  if is_word(path, root) then
    return nil
  end
  return ("there is no %s in the project (put it in backticks to send it as text)"):format(path)
end

--- The text of a file of the project, or of lines of it.
---@param found codex-chat.Found
---@param root string
---@param mention codex-chat.Mention
---@return codex-chat.ContextPart?
---@return string? err
local function of_found(found, root, mention)
  local plain = found.relative == "" and "." or found.relative
  local name = part.shown(plain)
  if found.stat.type == "directory" and not mention.first then
    return {
      label = name .. "/",
      text = ("The query is about the directory %s."):format(part.code(plain)),
    }
  end
  local buf = unsaved_buf(root .. "/" .. plain, root)
  if buf then
    return M.of_buf(buf, root, mention)
  end
  -- Reading a pipe or a device would block.
  if found.stat.type ~= "file" then
    return nil, ("%s is not a file"):format(plain)
  end
  local look = require("codex-chat.disk.look")
  local fd = require("codex-chat.disk.inside").open(found, plain)
  local head = fd and look.read_all(fd, head_bytes)
  if not fd or not head then
    return nil, ("%s cannot be read"):format(plain)
  end
  local image = head:find("%z") and require("codex-chat.context.image")
  if not image and mention.first then
    local text, err = look.read_open(fd, plain, max_file_bytes)
    if not text then
      return nil, err
    end
    local lines = require("codex-chat.buffer.document").lines_of(text)
    local first, last = range(plain, #lines, mention)
    if not first then
      return nil, last --[[@as string]]
    end
    ---@cast last integer
    local label = ("%s %s"):format(name, part.lines_text(first, last))
    local filetype = vim.filetype.match({ filename = plain }) or ""
    return part.of_lines(label, label, vim.list_slice(lines, first, last), filetype)
  elseif image and image.mime(head) then
    return image.of_open(fd, name)
  end
  vim.uv.fs_close(fd)
  if image then
    return nil, ("%s is not text"):format(plain)
  end
  -- Codex reads the file itself.
  return { label = name, text = ("The query is about %s."):format(part.code(plain)) }
end

--- A file of the project: only its name if Codex can read it, else its text.
---@param mention codex-chat.Mention
---@param root string
---@return codex-chat.ContextPart? part nil without an error if it is not a mention
---@return string? err
function M.of_path(mention, root)
  local inside = require("codex-chat.disk.inside")
  local path = mention.argument --[[@as string]]
  if path:find("^/+$") then
    return nil, missing(mention, root)
  end
  local absolute = path:sub(1, 1) == "/"
  local found, err, problem = inside.find(absolute and path or (root .. "/" .. path), root)
  local name_only, first_text, last_text = path:match("^(.-):(%d+)%-?(%d*)$")
  if problem == "absent" and name_only and vim.uv.fs_stat(root .. "/" .. name_only) then
    -- The notation of compilers and grep.
    local first = tonumber(first_text) --[[@as integer]]
    local last = tonumber(last_text) or first
    local place = vim.tbl_extend("force", mention, { argument = name_only })
    return M.of_path(vim.tbl_extend("force", place, { first = first, last = last }), root)
  elseif problem == "absent" then
    return nil, missing(mention, root)
  elseif problem == "outside" then
    return nil, ("%s is outside the project, where Codex cannot look"):format(path)
  elseif not found then
    return nil, err
  end
  local ok, context, why = pcall(of_found, found, root, mention)
  inside.close(found)
  if not ok then
    error(context, 0)
  end
  return context, why
end

return M
