--- The source that blink.cmp asks; users name it `codex-chat.blink`.
local M = {}
M.__index = M

---@return table
function M.new()
  return setmetatable({}, M)
end

---@return boolean
function M.enabled()
  return vim.bo.filetype == "codexchat"
end

---@return string[]
function M.get_trigger_characters()
  return { "@", "/", "$" }
end

---@param context { line: string, cursor: integer[], bufnr: integer }
---@param callback fun(response: table)
function M.get_completions(_, context, callback)
  local row, column = context.cursor[1] - 1, context.cursor[2]
  callback({
    is_incomplete_forward = true,
    is_incomplete_backward = true,
    items = require("codex-chat.complete.items").lsp(
      context.bufnr,
      row,
      context.line:sub(1, column)
    ),
  })
end

return M
