--- A line in the corner of the screen while a question waits out of the user's view.
---
--- A message would be overwritten by the next one, and by `-- INSERT --` at once. The line is a window
--- of one row: it takes neither focus nor keys, raises no events, and changes none of the user's
--- options. It is in the current tabpage, and closes with the answer.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local registry = require("codex-chat.registry")

local api = vim.api

--- Events that may change which questions are in view, or put the line in the cursor's way.
local events = {
  "TabEnter",
  "WinEnter",
  "WinClosed",
  "WinResized",
  "WinScrolled",
  "BufWinEnter",
  "VimResized",
  "CursorMoved",
  "CursorMovedI",
  "ModeChanged",
  "CmdlineLeave",
}

---@class (exact) codex-chat.Waiting
---@field chat codex-chat.Chat
---@field approval codex-chat.Approval

---@type integer? the window with the line
local win
---@type integer? its buffer
local buf
---@type string? how it was drawn last
local drawn
---@type integer?
local group
local is_scheduled = false

--- All pending questions, the oldest of each conversation first.
---@return codex-chat.Waiting[]
function M.all()
  local all = {}
  for _, chat in ipairs(registry.all()) do
    for _, approval in ipairs(chat.approvals) do
      all[#all + 1] = { chat = chat, approval = approval }
    end
  end
  return all
end

--- Whether a line of the question is on the screen.
---@param waiting codex-chat.Waiting
---@return boolean
local function is_seen(waiting)
  -- The tab page shows the patch that the question is about.
  if vim.t.codex_chat_patch == waiting.approval.id then
    return true
  end
  local wins = registry.wins(waiting.chat.buf, 0)
  if #wins == 0 then
    return false
  end
  local first, stop = blocks.group_range(waiting.chat, waiting.approval.block)
  if not first then
    return false
  end
  return vim.iter(wins):any(function(each)
    local info = vim.fn.getwininfo(each)[1]
    local top, bottom = math.max(first + 1, info.topline), math.min(stop, info.botline)
    return top <= bottom
      and api.nvim_win_call(each, function()
        local fold = vim.fn.foldclosed(top)
        return fold == -1 or vim.fn.foldclosedend(top) < bottom
      end)
  end)
end

--- The first free screen row for the line, and its text.
---@param unseen codex-chat.Waiting[]
---@return integer row 0-based
---@return string text
local function look(unseen)
  local columns = vim.o.columns
  local title = unseen[1].approval.title or "Codex asks you something"
  if #unseen > 1 then
    title = ("%d questions wait. %s"):format(#unseen, title)
  end
  -- SECURITY: the title holds the model's text.
  title = title:gsub("%c+", " ")
  local tail = " · :CodexChat question "
  local width = math.min(columns - 1, math.max(50, math.min(100, math.floor(columns * 0.75))))
  local cut = require("codex-chat.message").cut
  local text = " " .. cut(title, width - api.nvim_strwidth(tail) - 1) .. tail
  text = cut(text, math.max(1, width))
  local has_tabline = vim.o.showtabline == 2
    or (vim.o.showtabline == 1 and #api.nvim_list_tabpages() > 1)
  local row = has_tabline and 1 or 0
  for _, each in ipairs(api.nvim_tabpage_list_wins(0)) do
    local info = vim.fn.getwininfo(each)[1]
    local is_float = registry.floats(each)
    -- The winbar of the window there stays readable.
    if
      not is_float
      and info.winrow == row + 1
      and info.wincol + info.width > columns
      and info.winbar == 1
    then
      row = row + 1
      break
    end
  end
  local cursor = vim.fn.screenpos(0, vim.fn.line("."), vim.fn.col("."))
  if cursor.row == row + 1 and cursor.col > columns - api.nvim_strwidth(text) - 2 then
    row = row + 1
  end
  return row, text
end

--- The line's zindex: below completion menus and popups, but above a float that the user is in, such
--- as a terminal over the whole screen.
---@param row integer 0-based
---@return integer
local function zindex(row)
  local level = 45
  if not registry.floats(0) then
    return level
  end
  for _, each in ipairs(api.nvim_tabpage_list_wins(0)) do
    local config = api.nvim_win_get_config(each)
    if each ~= win and config.relative ~= "" then
      local top = api.nvim_win_get_position(each)[1]
      local bottom = top + api.nvim_win_get_height(each) + 1
      if row >= top - 1 and row <= bottom then
        level = math.max(level, (config.zindex or 50) + 1)
      end
    end
  end
  return level
end

--- Closes the line's window. Called by `apply`.
local function close()
  if win and api.nvim_win_is_valid(win) then
    pcall(api.nvim_win_close, win, true)
  end
  win, drawn = nil, nil
end

--- Draws the line, or closes it.
local function draw()
  local wanted = require("codex-chat.config").get().notify.waiting
  local unseen = wanted
      and vim.tbl_filter(function(waiting)
        return not is_seen(waiting)
      end, M.all())
    or {}
  if #unseen == 0 then
    close()
    return
  end
  local row, text = look(unseen)
  local is_here = win
    and api.nvim_win_is_valid(win)
    and api.nvim_win_get_tabpage(win) == api.nvim_get_current_tabpage()
  local level = zindex(row)
  local want = ("%d %d %d %s"):format(row, vim.o.columns, level, text)
  if is_here and drawn == want then
    return
  elseif not is_here then
    close()
  end
  if not buf or not api.nvim_buf_is_valid(buf) then
    buf = api.nvim_create_buf(false, true)
    vim.bo[buf].undolevels = -1
  end
  api.nvim_buf_set_lines(buf, 0, -1, false, { text })
  ---@type vim.api.keyset.win_config
  local config = {
    relative = "editor",
    anchor = "NE",
    row = row,
    col = vim.o.columns,
    width = api.nvim_strwidth(text),
    height = 1,
    focusable = false,
    style = "minimal",
    zindex = level,
  }
  if win then
    api.nvim_win_set_config(win, config)
  else
    -- The command-line window allows no floats: the line opens when the user leaves it.
    local ok, opened = pcall(api.nvim_open_win, buf, false, config)
    if not ok then
      return
    end
    win = opened
    vim.wo[win].winhighlight = "Normal:CodexChatAsked,NormalFloat:CodexChatAsked"
    vim.wo[win].wrap = false
    vim.wo[win].winblend = 0
  end
  drawn = want
end

--- Draws without raising events. Called by `M.changed`.
function M.apply()
  is_scheduled = false
  if not group then
    close()
    return
  end
  draw()
end

local function schedule()
  if not is_scheduled then
    is_scheduled = true
    vim.schedule(function()
      vim.cmd("noautocmd lua require('codex-chat.ui.waiting').apply()")
    end)
  end
end

--- Updates the line after questions have changed.
function M.changed()
  local wanted = not vim.iter(registry.all()):all(function(chat)
    return #chat.approvals == 0
  end)
  if wanted and not group then
    group = api.nvim_create_augroup("codex-chat.ui.waiting", {})
    api.nvim_create_autocmd(events, { group = group, callback = schedule })
  elseif not wanted and group then
    api.nvim_del_augroup_by_id(group)
    group = nil
  elseif not wanted then
    return
  end
  schedule()
end

return M
