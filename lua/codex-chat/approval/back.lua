--- After an answer the cursor goes on to the next question, or back to where the user went to the first
--- one from. Nothing moves for whoever answers from elsewhere, or has gone elsewhere since.
local M = {}

local blocks = require("codex-chat.buffer.blocks")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.approval.back")

---@type table<integer, { win: integer, mark: integer }> by buffer: where the user came from
local origins = {}

---@param chat codex-chat.Chat
---@param row integer
---@param approvals codex-chat.Approval[]
---@return boolean
local function is_on_one(chat, row, approvals)
  for _, approval in ipairs(approvals) do
    local first, stop = blocks.group_range(chat, approval.block)
    if first and row >= first and row < stop then
      return true
    end
  end
  return false
end

--- Remembers the place of the cursor before it goes to a question; not on the way from one to another.
---@param chat codex-chat.Chat
function M.remember(chat)
  local win, pos = api.nvim_get_current_win(), api.nvim_win_get_cursor(0)
  local known = origins[chat.buf]
  if known and known.win == win and is_on_one(chat, pos[1] - 1, chat.approvals) then
    return
  end
  local mark = api.nvim_buf_set_extmark(chat.buf, ns, pos[1] - 1, pos[2], {
    id = known and known.mark,
    strict = false,
  })
  origins[chat.buf] = { win = win, mark = mark }
end

--- Moves the cursor from a question that is over.
---@param chat codex-chat.Chat
---@param over codex-chat.Approval
---@param others codex-chat.Approval[] that still wait, oldest first
function M.go(chat, over, others)
  local known = origins[chat.buf]
  local win = api.nvim_get_current_win()
  if not known or known.win ~= win or api.nvim_get_mode().mode ~= "n" then
    return
  end
  if not is_on_one(chat, api.nvim_win_get_cursor(win)[1] - 1, { over }) then
    return
  end
  local row, col = others[1] and blocks.range(chat, others[1].block), 0
  if not row then
    local pos = api.nvim_buf_get_extmark_by_id(chat.buf, ns, known.mark, {})
    row, col = pos[1], pos[2]
    api.nvim_buf_del_extmark(chat.buf, ns, known.mark)
    origins[chat.buf] = nil
  end
  if row then
    pcall(api.nvim_win_set_cursor, win, { row + 1, col })
    -- A fold that is made around the cursor is left open.
    local first = blocks.range(chat, over.block)
    if first and vim.fn.foldlevel(first + 1) > 0 then
      vim.cmd(("silent! %dfoldclose"):format(first + 1))
    end
  end
end

return M
