--- What a mention stands for, as text or picture for the model.
local M = {}

local api = vim.api

--- Codex takes 1,048,576 characters a turn (0.169); the query needs room, too.
M.max_bytes = 800000
--- The largest picture that is sent.
local max_image_bytes = 8 * 1024 * 1024

---@class (exact) codex-chat.ContextPart
---@field label string for the reader of the conversation
---@field text? string
---@field image? string a data URL

--- The buffer that the user came from: the last one with a file's text that is no chat.
---@return integer?
function M.origin()
  local registry = require("codex-chat.registry")
  local function usable(win)
    if win == 0 or not api.nvim_win_is_valid(win) then
      return nil
    end
    local buf = api.nvim_win_get_buf(win)
    return vim.bo[buf].buftype == "" and not registry.get(buf) and buf or nil
  end
  local buf = usable(vim.fn.win_getid(vim.fn.winnr("#")))
  if buf then
    return buf
  end
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    buf = usable(win)
    if buf then
      return buf
    end
  end
  for _, info in ipairs(vim.fn.getbufinfo({ buflisted = 1 })) do
    if vim.bo[info.bufnr].buftype == "" and not registry.get(info.bufnr) and info.loaded == 1 then
      return info.bufnr
    end
  end
end

---@param path string
---@param root string
---@return string
local function relative(path, root)
  local full = vim.uv.fs_realpath(path) or path
  return vim.startswith(full, root .. "/") and full:sub(#root + 2) or full
end

--- The loaded buffer of a file, where it has changes that are not saved.
---@param full string
---@return integer?
local function unsaved_buf(full)
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buf) and vim.bo[buf].modified then
      local name = api.nvim_buf_get_name(buf)
      if name ~= "" and (name == full or vim.uv.fs_realpath(name) == full) then
        return buf
      end
    end
  end
end

---@param lines string[]
---@param filetype string
---@return string
local function fenced(lines, filetype)
  local longest = 2
  for _, line in ipairs(lines) do
    for run in line:gmatch("`+") do
      longest = math.max(longest, #run)
    end
  end
  local ticks = ("`"):rep(longest + 1)
  return table.concat(
    { ticks .. filetype:match("^[%w_+-]*"), table.concat(lines, "\n"), ticks },
    "\n"
  )
end

---@param first integer
---@param last integer
---@return string
local function lines_text(first, last)
  return first == last and ("line %d"):format(first) or ("lines %d–%d"):format(first, last)
end

---@param label string
---@param what string
---@param lines string[]
---@param filetype? string
---@return codex-chat.ContextPart
local function part(label, what, lines, filetype)
  return { label = label, text = ("%s:\n\n%s"):format(what, fenced(lines, filetype or "")) }
end

---@param buf integer
---@param root string
---@param first? integer
---@param last? integer
---@return codex-chat.ContextPart
local function of_buf(buf, root, first, last)
  local name = api.nvim_buf_get_name(buf)
  local label = name == "" and "an unnamed buffer" or relative(name, root)
  local count = api.nvim_buf_line_count(buf)
  if first then
    first, last = math.min(first, count), math.min(last, count)
    label = ("%s %s"):format(label, lines_text(first, last))
  end
  local saved = (name == "" and " (not saved in a file)")
    or (vim.bo[buf].modified and " (with changes that are not saved)")
    or ""
  local lines = api.nvim_buf_get_lines(buf, (first or 1) - 1, last or -1, false)
  return part(
    label .. saved,
    label .. saved .. ", as it is in the editor",
    lines,
    vim.bo[buf].filetype
  )
end

---@param mention codex-chat.Mention
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
local function of_path(mention, root)
  local path = mention.argument --[[@as string]]
  local full = vim.uv.fs_realpath(path:sub(1, 1) == "/" and path or (root .. "/" .. path))
  local meant = mention.quoted or mention.first ~= nil
  if not full then
    -- `@param` and `@scope/name` are words, not files.
    return nil, meant and ("there is no %s in the project"):format(path) or nil
  end
  if not vim.startswith(full .. "/", root .. "/") then
    return nil, ("%s lies outside of the project, where Codex cannot look"):format(path)
  end
  local name = relative(full, root)
  local buf = unsaved_buf(full)
  if buf then
    return of_buf(buf, root, mention.first, mention.last)
  end
  if not mention.first then
    -- Codex reads it for itself, as it then is.
    return { label = name, text = ("The query is about `%s`."):format(name) }
  end
  local lines, err = require("codex-chat.document").read(full)
  if not lines then
    return nil, err
  end
  if table.concat(lines, "\n", 1, math.min(#lines, 50)):find("%z") then
    return nil, ("%s is no text"):format(name)
  end
  local first, last = math.min(mention.first, #lines), math.min(mention.last, #lines)
  local label = ("%s %s"):format(name, lines_text(first, last))
  local filetype = vim.filetype.match({ filename = full }) or ""
  return part(label, label, vim.list_slice(lines, first, last), filetype)
end

---@param buf integer
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
local function of_selection(buf, root)
  local first = api.nvim_buf_get_mark(buf, "<")[1]
  local last = api.nvim_buf_get_mark(buf, ">")[1]
  if first == 0 or last == 0 then
    return nil, "nothing was selected in the file that you came from"
  end
  return of_buf(buf, root, math.min(first, last), math.max(first, last))
end

---@param buf integer? nil for all
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
local function of_diagnostics(buf, root)
  local names = { "error", "warning", "info", "hint" }
  local lines = {}
  for _, it in ipairs(vim.diagnostic.get(buf)) do
    local name = relative(api.nvim_buf_get_name(it.bufnr), root)
    if buf or name:sub(1, 1) ~= "/" then
      lines[#lines + 1] = ("%s:%d:%d: %s: %s%s"):format(
        name,
        it.lnum + 1,
        it.col + 1,
        names[it.severity] or "note",
        it.message:gsub("%s*\n%s*", " "),
        it.source and (" [%s]"):format(it.source) or ""
      )
    end
  end
  if #lines == 0 then
    return nil, "there are no diagnostics"
  end
  table.sort(lines)
  local label = ("%d diagnostic%s"):format(#lines, #lines == 1 and "" or "s")
  return part(label, "Diagnostics of the editor", lines)
end

---@param root string
---@return codex-chat.ContextPart?
---@return string? err
local function of_quickfix(root)
  local lines = {}
  for _, it in ipairs(vim.fn.getqflist()) do
    local name = it.bufnr > 0 and relative(api.nvim_buf_get_name(it.bufnr), root) or ""
    lines[#lines + 1] = ("%s:%d:%d: %s"):format(name, it.lnum, it.col, it.text)
  end
  if #lines == 0 then
    return nil, "the quickfix list is empty"
  end
  local label = ("%d quickfix entr%s"):format(#lines, #lines == 1 and "y" or "ies")
  return part(label, "The editor's quickfix list", lines)
end

---@param root string
---@return codex-chat.ContextPart?
---@return string? err
local function of_diff(root)
  -- Nothing that the repository configures may run: no pager, no external diff, no text conversion.
  local argv = { "git", "-c", "core.fsmonitor=false", "-C", root, "--no-pager", "diff" }
  vim.list_extend(argv, { "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--" })
  local ok, out = pcall(function()
    return vim.system(argv, { text = true, timeout = 10000 }):wait()
  end)
  if not ok or out.code ~= 0 then
    return nil, "git could not tell the changes: " .. (ok and vim.trim(out.stderr) or tostring(out))
  end
  if vim.trim(out.stdout) == "" then
    return nil, "there are no changes that are not committed"
  end
  local lines = vim.split(out.stdout, "\n", { plain = true, trimempty = true })
  return part("uncommitted changes", "Changes that are not committed", lines, "diff")
end

---@return codex-chat.ContextPart?
---@return string? err
local function of_clipboard()
  local ok, text = pcall(vim.fn.getreg, "+")
  if not ok or text == "" then
    return nil, "there is no text on the clipboard"
  end
  return part("the clipboard", "Text from the clipboard", vim.split(text, "\n", { plain = true }))
end

local magic = {
  { "^\137PNG\r\n\26\n", "image/png" },
  { "^\255\216\255", "image/jpeg" },
  { "^GIF8[79]a", "image/gif" },
  { "^RIFF....WEBP", "image/webp" },
}

---@param bytes string
---@param label string
---@return codex-chat.ContextPart?
---@return string? err
local function of_bytes(bytes, label)
  if #bytes > max_image_bytes then
    return nil, ("%s is larger than %d MB"):format(label, max_image_bytes / 1024 / 1024)
  end
  for _, kind in ipairs(magic) do
    if bytes:find(kind[1]) then
      local url = ("data:%s;base64,%s"):format(kind[2], vim.base64.encode(bytes))
      return { label = label, image = url }
    end
  end
  return nil, ("%s is no PNG, JPEG, GIF or WebP picture"):format(label)
end

---@param mention codex-chat.Mention
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
local function of_image(mention, root)
  local name = mention.argument
  if name then
    local path = vim.fn.fnamemodify(name, ":p")
    if name:sub(1, 1) ~= "/" and name:sub(1, 1) ~= "~" then
      path = root .. "/" .. name
    end
    local file = io.open(path, "rb")
    local bytes = file and file:read(max_image_bytes + 1)
    if file then
      file:close()
    end
    if not bytes then
      return nil, ("the picture %s cannot be read"):format(name)
    end
    return of_bytes(bytes, vim.fs.basename(path))
  end
  for _, argv in ipairs({
    { "wl-paste", "--no-newline", "--type", "image/png" },
    { "xclip", "-selection", "clipboard", "-target", "image/png", "-out" },
  }) do
    if vim.fn.executable(argv[1]) == 1 then
      local out = vim.system(argv, { timeout = 3000 }):wait()
      if out.code == 0 and out.stdout ~= "" then
        return of_bytes(out.stdout, "a picture from the clipboard")
      end
    end
  end
  return nil, "there is no picture on the clipboard, or neither wl-paste nor xclip to read it"
end

---@param mention codex-chat.Mention
---@param root string
---@return codex-chat.ContextPart? part nil without an error where it is no mention after all
---@return string? err
local function resolve(mention, root)
  local kind = mention.kind
  if kind == "path" then
    return of_path(mention, root)
  elseif kind == "quickfix" then
    return of_quickfix(root)
  elseif kind == "diff" then
    return of_diff(root)
  elseif kind == "clipboard" then
    return of_clipboard()
  elseif kind == "image" then
    return of_image(mention, root)
  elseif kind == "diagnostics" and mention.argument then
    return of_diagnostics(nil, root)
  end
  local buf = M.origin()
  if not buf then
    return nil, "no other file is open"
  end
  if kind == "buffer" then
    return of_buf(buf, root)
  elseif kind == "selection" then
    return of_selection(buf, root)
  end
  return of_diagnostics(buf, root)
end

--- Resolves all mentions of a query.
---@param text string
---@param root string
---@return codex-chat.ContextPart[]? parts nil where one cannot be had
---@return string? err
function M.all(text, root)
  local parts, bytes = {}, #text
  for _, mention in ipairs(require("codex-chat.context.mention").find(text)) do
    local found, err = resolve(mention, root)
    if err then
      return nil, ("%s: %s"):format(mention.text, err)
    end
    if found then
      bytes = bytes + #(found.text or "")
      if bytes > M.max_bytes then
        return nil,
          ("%s: with it the query is longer than %d kB, which is more than Codex takes"):format(
            mention.text,
            M.max_bytes / 1000
          )
      end
      parts[#parts + 1] = found
    end
  end
  return parts
end

--- The line below a query that says what went along with it.
---@param parts codex-chat.ContextPart[]
---@return string?
function M.line(parts)
  if #parts == 0 then
    return nil
  end
  local labels = vim.tbl_map(function(it)
    return (it.label:gsub("%c", " "))
  end, parts)
  return "> **Context:** " .. table.concat(labels, " · ")
end

return M
