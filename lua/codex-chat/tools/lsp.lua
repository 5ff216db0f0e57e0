--- The tool that asks the language servers of open files.
---
--- SECURITY: only read-only methods. An answer is text; nothing in it is run or opened.
local M = {}

local bounds = require("codex-chat.context.bounds")
local paths = require("codex-chat.context.paths")

--- The time limit for servers; the host's is longer.
M.timeout_ms = 10000

local methods = {
  definition = "textDocument/definition",
  references = "textDocument/references",
  hover = "textDocument/hover",
  symbols = "textDocument/documentSymbol",
  workspace_symbols = "workspace/symbol",
}

-- The functions of clients became methods in 0.11.
local has_methods = vim.fn.has("nvim-0.11") == 1

---@param client vim.lsp.Client
---@param name "request"|"cancel_request"
---@param ... any
local function call(client, name, ...)
  if has_methods then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- A column in the units of a server.
---@param line string
---@param column integer 1-based, in characters
---@param encoding string
---@return integer 0-based
local function units(line, column, encoding)
  local before = vim.fn.strcharpart(line, 0, column - 1)
  if encoding == "utf-8" then
    return #before
  elseif encoding == "utf-32" then
    return vim.fn.strchars(before)
  end
  return vim.fn.strutf16len(before)
end

--- The position that the agent means: a column, or the first occurrence of a word in the line.
---@param all string[] the lines of the file
---@param args table
---@return { row: integer, line: string, column: integer }?
---@return string? err
local function place(all, args)
  local row = bounds.count(args.line, 1)
  local line = all[row]
  if not line then
    return nil, ("the file has no line %d"):format(row)
  end
  local column = bounds.count(args.column, 1)
  if type(args.symbol) == "string" and args.symbol ~= "" and args.column == nil then
    local word = "%f[%w_]" .. vim.pesc(args.symbol) .. "%f[^%w_]"
    local at = line:find(word) or line:find(args.symbol, 1, true)
    if not at then
      return nil, ("line %d does not have %s"):format(row, args.symbol:sub(1, 100))
    end
    column = vim.fn.strchars(line:sub(1, at - 1)) + 1
  end
  return { row = row - 1, line = line, column = column }
end

---@param uri any
---@param root string
---@return string?
local function place_name(uri, root)
  local ok, path = pcall(vim.uri_to_fname, uri)
  if not ok then
    return type(uri) == "string" and uri or nil
  end
  -- A library outside the project is only named: it is not in the sandbox.
  return paths.name(path, root) or path
end

local add

---@param target table a location or a symbol
---@param root string
---@param lines string[]
---@param depth integer
local function add_one(target, root, lines, depth)
  local location = type(target.location) == "table" and target.location or {}
  local uri = target.uri or target.targetUri or location.uri
  local range = target.targetSelectionRange
    or target.selectionRange
    or target.range
    or location.range
  local start = type(range) == "table" and type(range.start) == "table" and range.start or nil
  local row = start and (tonumber(start.line) or 0) + 1 or 0
  local kind = type(target.kind) == "number" and vim.lsp.protocol.SymbolKind[target.kind]
  local name = type(target.name) == "string" and target.name or nil
  local title = name and (kind and ("%s %s"):format(kind:lower(), name) or name) or ""
  if uri then
    local file = place_name(uri, root) or "?"
    lines[#lines + 1] = bounds.line(vim.trim(("%s:%d %s"):format(file, row, title)))
  elseif name then
    lines[#lines + 1] = bounds.line(("%sline %d: %s"):format(("  "):rep(depth), row, title))
    add(target.children, root, lines, depth + 1)
  end
end

---@param result any one server's
---@param root string
---@param lines string[]
---@param depth integer
function add(result, root, lines, depth)
  if type(result) ~= "table" or depth > 20 then
    return
  end
  if result.contents then
    vim.list_extend(lines, vim.lsp.util.convert_input_to_markdown_lines(result.contents))
    return
  end
  for _, target in ipairs(vim.islist(result) and result or { result }) do
    if type(target) == "table" then
      add_one(target, root, lines, depth)
    end
  end
end

--- The servers that can answer, each with a file of the project that it serves.
---@param root string
---@param method string
---@param only integer? a buffer
---@return { client: vim.lsp.Client, buf: integer }[]
local function servers(root, method, only)
  local found, seen = {}, {}
  for _, open in ipairs(only and { { buf = only } } or paths.all(root)) do
    for _, client in ipairs(vim.lsp.get_clients({ bufnr = open.buf, method = method })) do
      if not seen[client.id] then
        seen[client.id] = true
        found[#found + 1] = { client = client, buf = open.buf }
      end
    end
  end
  return found
end

--- Makes the parameters for one server.
---@param root string
---@param args table
---@return (fun(client: vim.lsp.Client): table)? params
---@return integer? buf
---@return string? err
local function prepare(root, args)
  if args.action == "workspace_symbols" then
    return function()
      return { query = type(args.query) == "string" and args.query or "" }
    end
  end
  local buf, err = paths.find(root, args.path)
  if not buf then
    return nil, nil, err
  end
  local all, why = paths.lines(buf, root)
  if not all then
    return nil, nil, why
  end
  local at, wrong = place(all, args)
  if not at then
    return nil, nil, wrong
  end
  return function(client)
    return {
      textDocument = vim.lsp.util.make_text_document_params(buf),
      position = {
        line = at.row,
        character = units(at.line, at.column, client.offset_encoding or "utf-16"),
      },
      context = { includeDeclaration = true },
    }
  end,
    buf
end

--- Asks every server that can answer; `done` is called once.
---@param root string
---@param args { action?: string, path?: string, line?: integer, column?: integer, symbol?: string, query?: string }
---@param done fun(text: string?, err: string?)
function M.run(root, args, done)
  local method = type(args.action) == "string" and methods[args.action]
  if not method then
    local names = vim.tbl_keys(methods)
    table.sort(names)
    return done(nil, "action must be one of " .. table.concat(names, ", "))
  end
  local params, buf, err = prepare(root, args)
  if not params then
    return done(nil, err)
  end
  local asked = servers(root, method, buf)
  if #asked == 0 then
    return done(nil, "no language server answers that" .. (buf and " for this file" or ""))
  end
  local lines, problems, open, requests, finished = {}, {}, #asked, {}, false
  local function finish()
    if finished then
      return
    end
    finished = true
    for id, client in pairs(requests) do
      pcall(call, client, "cancel_request", id)
    end
    if #lines > 0 then
      done(bounds.join(lines))
    elseif open > 0 then
      done(nil, ("the language server did not answer within %d s"):format(M.timeout_ms / 1000))
    elseif #problems > 0 then
      done(nil, bounds.join(problems))
    else
      done("The language server found nothing.")
    end
  end
  local function on_answer(problem, result)
    open = open - 1
    local ok = pcall(add, result, root, lines, 0)
    if problem or not ok then
      local text = type(problem) == "table" and problem.message or "its answer has an unknown form"
      problems[#problems + 1] = "the language server says: " .. bounds.line(tostring(text))
    end
    if open == 0 then
      finish()
    end
  end
  for _, question in ipairs(asked) do
    local id
    local sent, started, request = pcall(
      call,
      question.client,
      "request",
      method,
      params(question.client),
      function(problem, result)
        if id then
          requests[id] = nil
        end
        on_answer(problem, result)
      end,
      question.buf
    )
    if not sent or not started then
      on_answer({ message = "it is not running" })
    elseif not finished and open > 0 then
      id = request
      requests[request] = question.client
    end
  end
  vim.defer_fn(finish, M.timeout_ms)
end

return M
