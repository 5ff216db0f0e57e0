--- Keeps every window still while the host writes.
---
--- If the cursor is in the prompt and the prompt's end in view, the end stays in view: the window
--- scrolls by as few lines as that takes. Otherwise the line under the cursor keeps its place on the
--- screen. All of this happens in the tick of the write, so that Neovim never scrolls to find a cursor.
local M = {}

local api = vim.api

---@class (exact) codex-chat.Held
---@field win integer
---@field view table of winsaveview()
---@field follows boolean
---@field above integer screen lines from the window's top to the cursor's line
---@field visual? integer[] the other end of the visual selection, from getpos()

---@param win integer
---@param fn fun(): any
---@return any
local function within(win, fn)
  if win == api.nvim_get_current_win() then
    return fn()
  end
  return api.nvim_win_call(win, fn)
end

---@param win integer
---@return integer rows for text
local function text_rows(win)
  return vim.fn.winheight(win)
end

--- Screen lines of the rows from `first` to `last`, inclusive; 0 if there are none.
---@param win integer
---@param first integer
---@param last integer
---@return integer
local function rows_of(win, first, last)
  if last < first then
    return 0
  end
  return api.nvim_win_text_height(win, { start_row = first, end_row = last }).all
end

--- The last row of the closed fold that hides this row; -2 if there is none.
---@param win integer
---@param row integer
---@return integer
local function fold_end(win, row)
  return within(win, function()
    return vim.fn.foldclosedend(row + 1) - 1
  end)
end

--- The first row from which the text to `last` takes at most `room` screen lines.
---@param win integer
---@param last integer
---@param room integer
---@return integer row at most `last`
local function top_for(win, last, room)
  -- Starts with few rows: Neovim takes a millisecond to measure one of 20,000 characters.
  local reach, high = 1, last
  local low = last
  while low > 0 and rows_of(win, low, last) < room do
    high = low
    reach = reach * 4
    low = math.max(0, last - reach + 1)
  end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if rows_of(win, middle, last) <= room then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

--- The first row of a window that keeps the buffer's end in view: the old one, or the row below the
--- lines that must go.
---@param win integer
---@param top integer the old one
---@param last integer
---@return integer row at most `last`
local function top_after(win, top, last)
  if vim.fn.line("w0", win) == top + 1 and vim.fn.line("w$", win) > last then
    return top
  end
  local excess = rows_of(win, top, last) - text_rows(win)
  -- Line by line: only few go, and to measure the window again would cost as much as all the rest.
  while excess > 0 and top < last do
    local stop = math.max(top, fold_end(win, top))
    excess = excess - rows_of(win, top, stop)
    top = math.min(stop + 1, last)
  end
  return top
end

--- Whether the window shows the buffer's end.
---@param win integer
---@param view table
---@param last integer
---@return boolean
local function shows_end(win, view, last)
  if view.skipcol == 0 then
    -- Neovim knows it from when it drew the window.
    return vim.fn.line("w$", win) > last
  end
  return rows_of(win, view.topline - 1, last) <= text_rows(win)
end

--- Remembers the views of the chat's windows.
---@param chat codex-chat.Chat
---@param prompt integer the prompt's first row
---@return codex-chat.Held[]
function M.hold(chat, prompt)
  local held = {}
  for _, win in ipairs(vim.fn.win_findbuf(chat.buf)) do
    local view = within(win, vim.fn.winsaveview)
    local last = api.nvim_buf_line_count(chat.buf) - 1
    local follows = view.lnum > prompt and shows_end(win, view, last)
    held[#held + 1] = {
      win = win,
      view = view,
      follows = follows,
      above = follows and 0 or rows_of(win, view.topline - 1, view.lnum - 2),
      visual = win == api.nvim_get_current_win()
          and vim.fn.mode():match("^[vV\22]")
          and vim.fn.getpos("v")
        or nil,
    }
  end
  return held
end

---@param row integer
---@param splices codex-chat.Splice[]
---@return integer
local function moved(row, splices)
  for _, s in ipairs(splices) do
    if row >= s.row + s.old then
      row = row + s.new - s.old
    elseif row >= s.row then
      row = s.row + math.min(row - s.row, math.max(s.new - 1, 0))
    end
  end
  return row
end

--- Moves the other end of the visual selection back to its text: Neovim 0.10 leaves it where it was.
---@param pos integer[]
---@param row integer where its line is now
---@return boolean moved
local function mend_selection(pos, row)
  if not vim.fn.mode():match("^[vV\22]") or vim.fn.line("v") == row + 1 then
    return false
  end
  vim.cmd("normal! o")
  vim.fn.setpos(".", { 0, row + 1, pos[3], pos[4] })
  vim.cmd("normal! o")
  return true
end

--- Restores the views after the writes `splices`.
---@param chat codex-chat.Chat
---@param held codex-chat.Held[]
---@param splices codex-chat.Splice[]
function M.release(chat, held, splices)
  local last = api.nvim_buf_line_count(chat.buf) - 1
  for _, h in ipairs(held) do
    if api.nvim_win_is_valid(h.win) and api.nvim_win_get_buf(h.win) == chat.buf then
      local row = math.min(moved(h.view.lnum - 1, splices), last)
      local top = math.min(moved(h.view.topline - 1, splices), last)
      local view, old_line, old_top = h.view, h.view.lnum, h.view.topline
      view.lnum = row + 1
      if h.follows then
        top = top_after(h.win, top, last)
      elseif row - top ~= old_line - old_top then
        top = h.above == 0 and row or top_for(h.win, row - 1, h.above)
      end
      view.topline = top + 1
      if top ~= moved(old_top - 1, splices) then
        view.topfill, view.skipcol = 0, 0
      end
      local mended = h.visual
        and h.win == api.nvim_get_current_win()
        and mend_selection(h.visual, moved(h.visual[2] - 1, splices))
      within(h.win, function()
        local now = vim.fn.winsaveview()
        if
          mended
          or now.curswant ~= view.curswant
          or now.lnum ~= view.lnum
          or now.col ~= view.col
          or now.coladd ~= view.coladd
          or now.topline ~= view.topline
          or now.skipcol ~= view.skipcol
        then
          vim.fn.winrestview(view)
        end
      end)
    end
  end
end

--- Scrolls so that the document's end is in view, by as few lines as that takes.
---@param win integer
function M.show_end(win)
  local last = api.nvim_buf_line_count(api.nvim_win_get_buf(win)) - 1
  within(win, function()
    local top = top_for(win, last, text_rows(win))
    if vim.fn.winsaveview().topline < top + 1 then
      vim.fn.winrestview({ topline = top + 1, topfill = 0, skipcol = 0 })
    end
  end)
end

return M
