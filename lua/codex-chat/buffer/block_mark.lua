--- Badges: virtual text beside the first line of a block, such as that it is running.
local M = {}

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.badges")

local groups = { running = "CodexChatRunning", queued = "CodexChatQueued" }

--- Shows the block's badge on its first line.
---@param chat codex-chat.Chat
---@param block codex-chat.Block
---@param row integer
function M.put(chat, block, row)
  local edit = block.badge_edit
  if not edit then
    return
  end
  -- SECURITY: the text may be the model's; a control character must not reach the screen.
  local text = (edit.text or edit.mark):gsub("%c", " ")
  block.badge = api.nvim_buf_set_extmark(chat.buf, ns, row, 0, {
    id = block.badge,
    virt_text = { { " " .. text .. " ", groups[edit.mark] or "CodexChatHint" } },
    virt_text_pos = "eol",
    -- Above the rule that is drawn beside headings.
    priority = 5000,
    hl_mode = "combine",
    invalidate = true,
  })
end

--- Removes the block's badge.
---@param chat codex-chat.Chat
---@param id string
function M.remove(chat, id)
  local block = chat.blocks[id]
  if block and block.badge then
    api.nvim_buf_del_extmark(chat.buf, ns, block.badge)
    block.badge, block.badge_edit = nil, nil
  end
end

--- Removes all badges.
---@param buf integer
function M.reset(buf)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
end

return M
