--- Prepares a conversation's buffer: its options, and everything that is derived from its text.
local M = {}

local format = require("codex-chat.format")
local registry = require("codex-chat.registry")

local api = vim.api

--- Sets a chat's options. Always by buffer number: `undolevels` of another buffer is the user's.
---@param buf integer
function M.set_options(buf)
  local bo = vim.bo[buf]
  bo.swapfile = false
  bo.modeline = false
  bo.undofile = false
  bo.undolevels = -1
  bo.buftype = "acwrite"
  bo.bufhidden = "hide"
  bo.buflisted = true
  bo.textwidth = 0
  bo.formatlistpat = [[^\s*\%([-*+]\|\d\+[.)]\)\s\+]]
end

--- Derives the prompt, folds, highlighting and undo from the buffer's text.
---@param chat codex-chat.Chat
function M.load(chat)
  local blocks = require("codex-chat.buffer.blocks")
  local buf = chat.buf
  blocks.reset(chat)
  local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
  local scan = require("codex-chat.buffer.markdown").scan(lines)
  local prompt = scan.prompt
  ---@type string[]?
  local known = lines
  if not prompt then
    known = nil
    -- Below everything, so that no text in the file becomes a query.
    local fresh = lines[#lines] == "" and { format.user_heading, "" }
      or { "", format.user_heading, "" }
    if #lines == 1 and lines[1] == "" then
      api.nvim_buf_set_lines(buf, 0, -1, false, { format.user_heading, "" })
      prompt = 0
    else
      api.nvim_buf_set_lines(buf, #lines, #lines, false, fresh)
      prompt = #lines + #fresh - 2
    end
  end
  require("codex-chat.buffer.fold").attach(buf)
  require("codex-chat.buffer.fold").load(buf, scan, lines)
  require("codex-chat.highlight").attach(buf, scan.tail)
  local head = format.head(lines)
  require("codex-chat.buffer.undo").attach(buf, known)
  require("codex-chat.buffer.undo").clear(buf)
  blocks.set_prompt(chat, prompt)
  vim.bo[buf].modified = false
  chat.changed = false
  chat.head = head or chat.head
  if chat.follows then
    return
  end
  chat.follows = true
  -- Events like TextChanged wait for a pause: too late for a user who types and quits.
  api.nvim_buf_attach(buf, false, {
    on_lines = function()
      chat.changed = true
      return registry.get(buf) ~= chat
    end,
    on_detach = function()
      chat.follows = nil
    end,
  })
end

return M
