--- Whether all of a question has been in view: one that is longer than the window says so, and is not
--- accepted by a key before its end was seen.
local M = {}

local blocks = require("codex-chat.buffer.blocks")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.approval.fit")

--- Rows on the screen from the first row of a question to the row below it, its keys included.
---@param win integer
---@param first integer
---@param stop integer
---@return integer
local function height(win, first, stop)
  return api.nvim_win_text_height(win, { start_row = first, end_row = stop }).all
end

--- The height of the lowest window of the buffer; nil where it is in none.
---@param buf integer
---@return integer? rows
---@return integer? win
function M.lowest(buf)
  local rows, found
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local here = vim.fn.winheight(win)
    if not rows or here < rows then
      rows, found = here, win
    end
  end
  return rows, found
end

--- Says below the first line of a question how much of it the window cannot show.
---@param buf integer
---@param approval codex-chat.Approval
---@param first integer
---@param stop integer
---@param width integer columns of text
function M.note(buf, approval, first, stop, width)
  local rows, win = M.lowest(buf)
  local more = rows and win and height(win, first, stop) - rows or 0
  if more <= 0 then
    if approval.note then
      api.nvim_buf_del_extmark(buf, ns, approval.note)
      approval.note = nil
    end
    return
  end
  local text = ("%d more line%s than the window shows: read to the end, then answer"):format(
    more,
    more == 1 and "" or "s"
  )
  text = require("codex-chat.message").cut(text, width)
  local rest = (" "):rep(math.max(0, width - api.nvim_strwidth(text)))
  approval.note = api.nvim_buf_set_extmark(buf, ns, first, 0, {
    id = approval.note,
    virt_lines = {
      {
        { "▌ ", "CodexChatAsks" },
        { text .. rest, { "CodexChatAsksLine", "CodexChatAsks" } },
      },
    },
    virt_lines_leftcol = true,
  })
end

--- Removes what was said of a question that is over.
---@param buf integer
---@param approval codex-chat.Approval
function M.forget(buf, approval)
  if approval.note and api.nvim_buf_is_valid(buf) then
    api.nvim_buf_del_extmark(buf, ns, approval.note)
    approval.note = nil
  end
end

--- How many lines of a question's end the user has not had in view; the current window is one of its
--- chat.
---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@return integer
function M.unread(chat, approval)
  local first, stop = blocks.group_range(chat, approval.block)
  if not first or not stop then
    return 0
  end
  local left = math.max(0, stop - vim.fn.line("w$"))
  if left == 0 then
    -- If it grows, there is more to read.
    approval.read = stop - first
  end
  return approval.read == stop - first and 0 or left
end

--- Moves the cursor of the current window to a question, and scrolls until all of it is in view with its
--- keys, or as much as there is room for.
---@param first integer
---@param stop integer
function M.show(first, stop)
  local win, last = api.nvim_get_current_win(), api.nvim_buf_line_count(0) - 1
  api.nvim_win_set_cursor(win, { first + 1, 0 })
  if vim.fn.line("w0") <= first + 1 and vim.fn.line("w$") > math.min(stop, last) then
    return
  end
  local below = math.min(stop, last)
  local room = vim.fn.winheight(win) - height(win, first, below)
  local top = first
  while top > 0 do
    local closed = vim.fn.foldclosed(top)
    local above = (closed > 0 and closed or top) - 1
    local rows = api.nvim_win_text_height(win, { start_row = above, end_row = top - 1 }).all
    if rows > room then
      break
    end
    room, top = room - rows, above
  end
  -- 'scrolloff' would scroll back if the cursor were higher.
  local lead = height(win, top, first) - 1
  local row = math.min(stop - 1, first + math.max(0, vim.wo.scrolloff - lead))
  vim.fn.winrestview({ topline = top + 1, topfill = 0, skipcol = 0, lnum = row + 1, col = 0 })
end

return M
