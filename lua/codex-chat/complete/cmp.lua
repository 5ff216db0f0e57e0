--- The source that nvim-cmp asks; users name it `codex-chat.cmp`.
local M = {}
M.__index = M

---@return table
function M.new()
  return setmetatable({}, M)
end

---@return boolean
function M.is_available()
  return vim.bo.filetype == "codexchat"
end

---@return string[]
function M.get_trigger_characters()
  return { "@", "/", "$" }
end

--- The pattern of a word: with its mark, with the characters of paths, or in quotes.
---@return string
function M.get_keyword_pattern()
  return [[\%(@\%(image:\)\?"[^"]*\|[@/$][^ \t@$"]*\)]]
end

--- Columns are bytes.
---@return string
function M.get_position_encoding_kind()
  return "utf-8"
end

---@param params { context: { cursor_before_line: string, bufnr: integer, cursor: { row: integer } } }
---@param callback fun(response: table)
function M.complete(_, params, callback)
  local context = params.context
  callback({
    items = require("codex-chat.complete.items").lsp(
      context.bufnr,
      context.cursor.row - 1,
      context.cursor_before_line
    ),
    isIncomplete = true,
  })
end

return M
