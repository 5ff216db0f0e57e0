--- A source for nvim-cmp: `require("cmp").register_source("codex_chat", require("codex-chat.cmp").new())`.
local M = {}
M.__index = M

---@return table
function M.new()
  return setmetatable({}, M)
end

---@return boolean
function M:is_available()
  return vim.bo.filetype == "codexchat"
end

---@return string[]
function M:get_trigger_characters()
  return { "@", "/", "$" }
end

--- What a word looks like to nvim-cmp: with its mark, and with the signs of paths.
---@return string
function M:get_keyword_pattern()
  return [[[@/]\k\?[^ \t@]*]]
end

---@param params { context: { cursor_before_line: string, bufnr: integer } }
---@param callback fun(response: table)
function M:complete(params, callback)
  local chat = require("codex-chat.registry").get(params.context.bufnr)
  local items = {}
  if chat then
    local _, found =
      require("codex-chat.context.complete").items(chat, params.context.cursor_before_line)
    items = vim.tbl_map(function(item)
      return { label = item.word, detail = item.menu, kind = 17 }
    end, found)
  end
  callback({ items = items, isIncomplete = true })
end

return M
