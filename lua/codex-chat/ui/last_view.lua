--- Where a conversation was last seen, so that its next window shows the same place.
local M = {}

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.last_view")

--- Remembers a window's view, in extmarks that move with the text.
---@param chat codex-chat.Chat
---@param win integer
function M.remember(chat, win)
  local view = api.nvim_win_call(win, vim.fn.winsaveview)
  local last = chat.last_win_view or {}
  local lines = api.nvim_buf_line_count(chat.buf)
  local function keep(id, lnum)
    return api.nvim_buf_set_extmark(chat.buf, ns, math.min(lnum, lines) - 1, 0, { id = id })
  end
  chat.last_win_view = {
    view = view,
    lnum = keep(last.lnum, view.lnum),
    topline = keep(last.topline, view.topline),
    in_prompt = view.lnum > require("codex-chat.buffer.blocks").prompt_row(chat),
  }
end

--- Restores the last view in a window.
---@param chat codex-chat.Chat
---@param win integer
---@return boolean restored
function M.restore(chat, win)
  local last = chat.last_win_view
  if not last then
    return false
  end
  local function row(id)
    local pos = api.nvim_buf_get_extmark_by_id(chat.buf, ns, id, {})
    return pos[1] and pos[1] + 1
  end
  local view = vim.tbl_extend("force", last.view, {
    lnum = row(last.lnum) or last.view.lnum,
    topline = row(last.topline) or last.view.topline,
  })
  api.nvim_win_call(win, function()
    vim.fn.winrestview(view)
  end)
  if last.in_prompt then
    require("codex-chat.buffer.view").show_end(win)
  end
  return true
end

return M
