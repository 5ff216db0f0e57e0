--- The buffer of a conversation as a text: its options, and what follows from the text that is in it.
local M = {}

local document = require("codex-chat.buffer.document")
local registry = require("codex-chat.registry")

local api = vim.api

--- Gives the buffer a chat's options. Only ever by number: `undolevels` of another buffer is the
--- user's own.
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
end

--- Takes the text of the buffer as the conversation: prompt, folds, highlighting, undo.
---@param chat codex-chat.Chat
function M.load(chat)
  local blocks = require("codex-chat.buffer.blocks")
  local buf = chat.buf
  blocks.reset(chat)
  local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
  local scan = require("codex-chat.buffer.markdown").scan(lines)
  local prompt = scan.prompt
  if not prompt then
    -- Below everything, so that nothing of what stands there is taken for a query.
    local fresh = lines[#lines] == "" and { "## You", "" } or { "", "## You", "" }
    if #lines == 1 and lines[1] == "" then
      api.nvim_buf_set_lines(buf, 0, -1, false, { "## You", "" })
      prompt = 0
    else
      api.nvim_buf_set_lines(buf, #lines, #lines, false, fresh)
      prompt = #lines + #fresh - 2
    end
  end
  require("codex-chat.buffer.fold").attach(buf)
  require("codex-chat.buffer.fold").load(buf, scan.folds)
  require("codex-chat.highlight").attach(buf)
  require("codex-chat.buffer.undo").attach(buf)
  require("codex-chat.buffer.undo").clear(buf)
  blocks.set_prompt(chat, prompt)
  vim.bo[buf].modified = false
  chat.changed = false
  chat.head = document.head(lines) or chat.head
  if chat.follows then
    return
  end
  chat.follows = true
  -- Events like TextChanged wait for the user to pause: too late where one types and leaves.
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
