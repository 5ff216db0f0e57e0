--- The editor tools of Codex: read-only, and only for the project's files.
---
--- SECURITY: any program in the sandbox may call them in Codex's name. A path is resolved here and must
--- lead into the project; nothing is executed, and a disabled tool does not answer.
local M = {}

---@alias codex-chat.Tool fun(root: string, args: table): string?, string?

--- By name: the setting that enables the tool, and the module that implements it.
---@type table<string, { switch: string, module: string }>
local tools = {
  open_buffers = { switch = "buffers", module = "buffers" },
  read_buffer = { switch = "buffers", module = "buffers" },
  cursor = { switch = "cursor", module = "buffers" },
  diagnostics = { switch = "diagnostics", module = "lists" },
  quickfix = { switch = "quickfix", module = "lists" },
  lsp = { switch = "lsp", module = "lsp" },
}

--- Absent arguments often arrive as null.
---@param value any
---@return table
local function arguments(value)
  return vim.tbl_map(function(element)
    return element ~= vim.NIL and element or nil
  end, type(value) == "table" and value or {})
end

--- Runs a tool; `done` is called once.
---@param root string
---@param name string
---@param args any
---@param done fun(text: string?, err: string?)
local function run(root, name, args, done)
  local tool = tools[name]
  if not tool or not require("codex-chat.config").get().editor_tools[tool.switch] then
    local shown = name:sub(1, 100)
    done(nil, ("the editor has no tool %s, or the user has switched it off"):format(shown))
    return
  end
  local module = require("codex-chat.tools." .. tool.module)
  if name == "lsp" then
    module.run(root, arguments(args), done)
  else
    done(module[name](root, arguments(args)))
  end
end

--- Runs a tool for Codex, and sends the answer to the host by `tool/answer`.
---@param chat codex-chat.Chat
---@param call { id: string, tool: string, arguments: table }
function M.run(chat, call)
  local answered = false
  local function done(text, err)
    if not answered then
      answered = true
      local answer = { id = call.id, ok = text ~= nil, text = text or err or "it failed" }
      require("codex-chat.host").notify(chat, "tool/answer", answer)
    end
  end
  local ok = pcall(run, chat.root, call.tool, call.arguments, done)
  if not ok then
    done(nil, "it failed")
  end
end

--- Starts to watch what the tools need. Idempotent.
function M.begin()
  require("codex-chat.context.paths").watch()
end

--- The project's files with unsaved changes, for Codex to know before it edits them.
---@param root string
---@return string[]
function M.unsaved(root)
  if not require("codex-chat.config").get().editor_tools.buffers then
    return {}
  end
  local names = {}
  for _, open in ipairs(require("codex-chat.context.paths").all(root)) do
    if vim.bo[open.buf].modified then
      names[#names + 1] = open.name
    end
  end
  return vim.list_slice(names, 1, 100)
end

return M
