--- A source for blink.cmp: `sources.providers.codex_chat = { name = "Codex", module = "codex-chat.blink" }`.
local M = {}
M.__index = M

---@return table
function M.new()
  return setmetatable({}, M)
end

---@return boolean
function M:enabled()
  return vim.bo.filetype == "codexchat"
end

---@return string[]
function M:get_trigger_characters()
  return { "@", "/", "$" }
end

---@param context { line: string, cursor: integer[], bufnr: integer }
---@param callback fun(response: table)
function M:get_completions(context, callback)
  local chat = require("codex-chat.registry").get(context.bufnr)
  local before = context.line:sub(1, context.cursor[2])
  local start, items
  if chat then
    start, items = require("codex-chat.context.complete").items(chat, before)
  end
  callback({
    is_incomplete_forward = true,
    is_incomplete_backward = true,
    items = vim.tbl_map(function(item)
      return {
        label = item.word,
        labelDetails = { description = item.menu },
        filterText = item.word,
        kind = 17,
        textEdit = {
          newText = item.word,
          range = {
            start = { line = context.cursor[1] - 1, character = start },
            ["end"] = { line = context.cursor[1] - 1, character = context.cursor[2] },
          },
        },
      }
    end, start and items or {}),
  })
end

return M
