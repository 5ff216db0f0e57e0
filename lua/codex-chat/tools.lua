--- What Codex may ask the editor: read-only, and of the project's files only.
---
--- SECURITY: whatever runs in the sandbox may ask, in Codex's name. A path is looked up on this side
--- and must lead into the project; nothing is executed, and what is switched off does not answer.
local M = {}

local api = vim.api

--- The most that is told at a time; Codex would cut it itself somewhere above.
local max_bytes = 60000

--- What is not shown even though it lies in the project: the host's own, and what holds secrets.
local hidden = { ".git", ".env", ".envrc", ".ssh", ".netrc", ".npmrc" }

---@param path string absolute, links resolved
---@param root string
---@return string? relative nil where it is none of the agent's business
local function visible(path, root)
  if not vim.startswith(path, root .. "/") then
    return nil
  end
  local relative = path:sub(#root + 2)
  for _, part in ipairs(vim.split(relative, "/", { plain = true })) do
    for _, name in ipairs(hidden) do
      if part == name or vim.startswith(part, name .. ".") then
        return nil
      end
    end
  end
  return relative
end

---@param buf integer
---@param root string
---@return string?
local function visible_buf(buf, root)
  if not api.nvim_buf_is_loaded(buf) or vim.bo[buf].buftype ~= "" then
    return nil
  end
  local name = api.nvim_buf_get_name(buf)
  local path = name ~= "" and (vim.uv.fs_realpath(name) or vim.fs.normalize(name)) or nil
  return path and visible(path, root)
end

---@param root string
---@param path any
---@return integer? buf
---@return string? err
local function find_buf(root, path)
  if type(path) ~= "string" then
    return nil, "path is needed"
  end
  for _, buf in ipairs(api.nvim_list_bufs()) do
    local name = visible_buf(buf, root)
    if name and (name == path or root .. "/" .. name == path) then
      return buf
    end
  end
  return nil, ("%s is not open in the editor; read the file itself"):format(path)
end

---@param lines string[]
---@return string
local function joined(lines)
  local text = table.concat(lines, "\n")
  if #text > max_bytes then
    text = text:sub(1, max_bytes) .. "\n[… cut: ask for fewer lines …]"
  end
  return text
end

---@type table<string, fun(root: string, args: table): string?, string?>
local tools = {}

function tools.open_buffers(root)
  local lines = {}
  for _, buf in ipairs(api.nvim_list_bufs()) do
    local name = visible_buf(buf, root)
    if name then
      lines[#lines + 1] = ("%s (%d lines%s%s)"):format(
        name,
        api.nvim_buf_line_count(buf),
        vim.bo[buf].modified and ", with changes that are not saved" or "",
        #vim.fn.win_findbuf(buf) > 0 and ", in view" or ""
      )
    end
  end
  return #lines > 0 and joined(lines) or "No file of the project is open."
end

function tools.read_buffer(root, args)
  local buf, err = find_buf(root, args.path)
  if not buf then
    return nil, err
  end
  local first = math.max(1, math.floor(tonumber(args.first) or 1))
  local last = math.floor(tonumber(args.last) or -1)
  return joined(api.nvim_buf_get_lines(buf, first - 1, last, false))
end

function tools.cursor(root)
  local buf = require("codex-chat.context.origin").get()
  local name = buf and visible_buf(buf, root)
  if not buf or not name then
    return "The user is in no file of the project."
  end
  local win = vim.fn.win_findbuf(buf)[1]
  local row, col = unpack(win and api.nvim_win_get_cursor(win) or api.nvim_buf_get_mark(buf, '"'))
  local lines = { ("%s:%d:%d"):format(name, row, col + 1) }
  local from, to = api.nvim_buf_get_mark(buf, "<")[1], api.nvim_buf_get_mark(buf, ">")[1]
  if from > 0 then
    lines[#lines + 1] = ("Selected last: lines %d to %d"):format(from, to)
    vim.list_extend(lines, api.nvim_buf_get_lines(buf, from - 1, to, false))
  end
  return joined(lines)
end

function tools.diagnostics(root, args)
  local only
  if args.path ~= nil then
    local err
    only, err = find_buf(root, args.path)
    if not only then
      return nil, err
    end
  end
  local lines = {}
  for _, it in ipairs(vim.diagnostic.get(only)) do
    local name = visible_buf(it.bufnr, root)
    if name then
      lines[#lines + 1] = ("%s:%d:%d: %s: %s"):format(
        name,
        it.lnum + 1,
        it.col + 1,
        (vim.diagnostic.severity[it.severity] or "note"):lower(),
        (it.message:gsub("%s*\n%s*", " "))
      )
    end
  end
  table.sort(lines)
  return #lines > 0 and joined(lines) or "There are no diagnostics."
end

function tools.quickfix(root)
  local lines = {}
  for _, it in ipairs(vim.fn.getqflist()) do
    local path = it.bufnr > 0 and api.nvim_buf_get_name(it.bufnr) or ""
    local name = path ~= "" and visible(vim.uv.fs_realpath(path) or path, root) or nil
    if name or it.bufnr == 0 then
      lines[#lines + 1] = ("%s:%d:%d: %s"):format(name or "", it.lnum, it.col, it.text)
    end
  end
  return #lines > 0 and joined(lines) or "The quickfix list is empty."
end

local lsp_methods = {
  definition = "textDocument/definition",
  references = "textDocument/references",
  hover = "textDocument/hover",
  symbols = "textDocument/documentSymbol",
}

---@param root string
---@param result any of one server
---@param lines string[]
local function add_lsp(root, result, lines)
  if type(result) ~= "table" then
    return
  end
  if result.contents then
    vim.list_extend(lines, vim.lsp.util.convert_input_to_markdown_lines(result.contents))
    return
  end
  for _, it in ipairs(vim.islist(result) and result or { result }) do
    local uri = it.uri or it.targetUri or (it.location or {}).uri
    local range = it.range or it.targetSelectionRange or (it.location or {}).range
    local place = range and range.start.line + 1 or 0
    if uri then
      local path = vim.uri_to_fname(uri)
      local name = visible(vim.uv.fs_realpath(path) or path, root)
      -- A library outside of the project is named, not shown: it is not in the sandbox.
      lines[#lines + 1] = ("%s:%d%s"):format(name or path, place, it.name and " " .. it.name or "")
    elseif it.name then
      lines[#lines + 1] = ("line %d: %s"):format(place, it.name)
      add_lsp(root, it.children, lines)
    end
  end
end

---@param root string
---@param args table
---@param done fun(text: string?, err: string?)
local function lsp(root, args, done)
  local method = lsp_methods[args.action]
  local buf, err = find_buf(root, args.path)
  if not method or not buf then
    done(nil, err or "action must be definition, references, hover or symbols")
    return
  end
  local row = math.max(0, math.floor(tonumber(args.line) or 1) - 1)
  local col = math.max(0, math.floor(tonumber(args.column) or 1) - 1)
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(buf),
    position = { line = row, character = col },
    context = { includeDeclaration = true },
  }
  local asked = vim.lsp.get_clients({ bufnr = buf, method = method })
  if #asked == 0 then
    done(nil, "no language server answers that for this file")
    return
  end
  vim.lsp.buf_request_all(buf, method, params, function(results)
    local lines = {}
    for _, answer in pairs(results) do
      add_lsp(root, answer.result, lines)
    end
    done(#lines > 0 and joined(lines) or "The language server found nothing.")
  end)
end

--- Which switch of the configuration a tool belongs to.
local switches = {
  open_buffers = "buffers",
  read_buffer = "buffers",
  cursor = "cursor",
  diagnostics = "diagnostics",
  quickfix = "quickfix",
  lsp = "lsp",
}

--- Runs a tool for Codex; the host hears of the answer by `tool/answer`.
---@param chat codex-chat.Chat
---@param call { id: string, tool: string, arguments: table }
function M.run(chat, call)
  local answered = false
  local function done(text, err)
    if not answered then
      answered = true
      require("codex-chat.host").notify(
        chat,
        "tool/answer",
        { id = call.id, ok = text ~= nil, text = text or err or "it failed" }
      )
    end
  end
  local switch = switches[call.tool]
  if not switch or not require("codex-chat.config").get().editor_tools[switch] then
    done(nil, ("the editor has no tool %s, or the user has switched it off"):format(call.tool))
    return
  end
  local args = type(call.arguments) == "table" and call.arguments or {}
  local ok, text, err
  if call.tool == "lsp" then
    ok, err = pcall(lsp, chat.root, args, done)
    if not ok then
      done(nil, "it failed")
    end
    return
  end
  ok, text, err = pcall(tools[call.tool], chat.root, args)
  done(ok and text or nil, ok and err or "it failed")
end

--- Files of the project with changes that are not saved, for Codex to know before it edits them.
---@param root string
---@return string[]
function M.unsaved(root)
  if not require("codex-chat.config").get().editor_tools.buffers then
    return {}
  end
  local names = {}
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if vim.bo[buf].modified then
      names[#names + 1] = visible_buf(buf, root)
    end
  end
  table.sort(names)
  return vim.list_slice(names, 1, 100)
end

return M
