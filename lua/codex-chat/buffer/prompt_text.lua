--- Reads the text in the prompt.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local format = require("codex-chat.format")

local api = vim.api

--- The text in the prompt, without blank lines around it; empty where nothing was typed.
---@param chat codex-chat.Chat
---@return string
function M.text(chat)
  local lines = api.nvim_buf_get_lines(chat.buf, blocks.prompt_row(chat), -1, false)
  if format.is_prompt(lines[1]) then
    table.remove(lines, 1)
  end
  local first, last = 1, #lines
  while first <= last and not lines[first]:find("%S") do
    first = first + 1
  end
  while last >= first and not lines[last]:find("%S") do
    last = last - 1
  end
  return table.concat(lines, "\n", first, last)
end

--- Whether nothing was typed. Looks at no more than a few lines.
---@param chat codex-chat.Chat
---@return boolean
function M.is_empty(chat)
  local row = blocks.prompt_row(chat)
  if api.nvim_buf_line_count(chat.buf) - row > 50 then
    return false
  end
  return M.text(chat) == ""
end

return M
