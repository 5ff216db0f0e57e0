--- Keeps the chat in its window: another buffer that is shown there moves to a window for code.
---
--- It does not matter what shows it: `:edit`, `:bnext`, the quickfix list, a tag, a picker.
--- 'winfixbuf' would make most of these errors (docs/decisions/0015-a-chat-keeps-its-window.md). The
--- buffer moves after the command is done, so that cursor and jumps are where the command put them. If
--- another window of the tabpage still shows the chat, nothing moves.
local M = {}

local registry = require("codex-chat.registry")

local api = vim.api

---@type table<integer, integer> the chat's buffer that a window shows or has shown last, by window
local shown = {}

---@type table<integer, fun()> hides a floating chat, which would cover the file, by window
local hiders = {}
---@type table<integer, integer> the window for code that was used last, by tabpage
local last_code = {}

--- Whether a file may be shown in the window: not instead of a list, a tree, a page or a chat.
---@param win integer
---@return boolean
function M.is_for_code(win)
  local buf = api.nvim_win_get_buf(win)
  local wo = vim.wo[win]
  return not registry.floats(win)
    and not registry.get(buf)
    and not shown[win]
    and not wo.winfixbuf
    and not wo.previewwindow
    and (vim.bo[buf].buftype == "" or vim.bo[buf].buftype == "acwrite")
end

--- A window of this tabpage for code: one that shows the buffer, else the last used one.
---@param buf? integer
---@return integer?
function M.code_window(buf)
  local wins = vim.tbl_filter(M.is_for_code, api.nvim_tabpage_list_wins(0))
  for _, win in ipairs(wins) do
    if api.nvim_win_get_buf(win) == buf then
      return win
    end
  end
  local last = last_code[api.nvim_get_current_tabpage()]
  if not vim.list_contains(wins, last) then
    last = vim.fn.win_getid(vim.fn.winnr("#"))
  end
  return vim.list_contains(wins, last) and last or wins[1]
end

--- Makes a window for code, on the other side of the chat.
---@param buf integer
---@param chat_win? integer
---@return integer win
local function make_window(buf, chat_win)
  local opposite = { right = "left", left = "right", top = "below", bottom = "above" }
  local position = require("codex-chat.config").get().window.position
  local from = chat_win and not registry.floats(chat_win) and chat_win or -1
  return api.nvim_open_win(buf, true, { win = from, split = opposite[position] or "left" })
end

--- Goes to a window for code that shows the buffer.
---@param buf integer
---@param chat_win? integer
---@return boolean was_there whether the window showed it before
local function go(buf, chat_win)
  local win = M.code_window(buf)
  if win and api.nvim_win_get_buf(win) == buf then
    api.nvim_set_current_win(win)
    return true
  end
  if win then
    api.nvim_set_current_win(win)
    -- Fails if 'nohidden' keeps a changed buffer in its window.
    if pcall(api.nvim_win_set_buf, win, buf) then
      return false
    end
  end
  make_window(buf, chat_win)
  return false
end

--- Says how to hide a floating chat once the user has gone from it to a file.
---@param win integer
---@param hide fun()
function M.hides(win, hide)
  hiders[win] = hide
end

--- Hides the floating chat that the user has left for a file.
---@param win integer
local function hide_float(win)
  if hiders[win] and api.nvim_win_is_valid(win) and api.nvim_get_current_win() ~= win then
    hiders[win]()
  end
end

--- Shows the buffer in a window for code, and the chat in its own window again.
---@param win integer
---@param chat codex-chat.Chat
local function put_back(win, chat)
  local buf = api.nvim_win_get_buf(win)
  local view = api.nvim_win_call(win, vim.fn.winsaveview)
  local last = chat.last_win_view
  if api.nvim_get_current_win() == win then
    if not go(buf, win) then
      vim.fn.winrestview(view)
    elseif api.nvim_win_get_cursor(0)[1] ~= view.lnum then
      api.nvim_win_set_cursor(0, { view.lnum, view.col })
    end
  end
  local ok = pcall(api.nvim_win_call, win, function()
    vim.cmd(("keepjumps buffer %d"):format(chat.buf))
  end)
  if not ok then
    M.let_go(win)
    return
  end
  chat.last_win_view = last
  require("codex-chat.ui.last_view").restore(chat, win)
  require("codex-chat.ui.size").back(win)
  hide_float(win)
end

--- Checks a window that showed a chat and now shows another buffer.
---@param win integer
local function look(win)
  local chat = shown[win] and registry.get(shown[win])
  if not api.nvim_win_is_valid(win) or api.nvim_win_get_buf(win) == shown[win] then
    return
  end
  local is_gone = not chat or not api.nvim_buf_is_loaded(chat.buf)
  local is_chat = registry.get(api.nvim_win_get_buf(win)) ~= nil
  if is_gone or is_chat or vim.g.SessionLoad == 1 then
    M.let_go(win)
    return
  end
  ---@cast chat codex-chat.Chat
  local here = api.nvim_win_get_tabpage(win)
  if here ~= api.nvim_get_current_tabpage() or #registry.wins(chat.buf, here) > 0 then
    M.let_go(win)
    return
  end
  put_back(win, chat)
end

--- The window shows the chat.
---@param chat codex-chat.Chat
---@param win integer
function M.shown(chat, win)
  shown[win] = chat.buf
end

--- Gives up the window: any buffer may be shown there.
---@param win integer
function M.let_go(win)
  shown[win] = nil
  require("codex-chat.ui.size").release(win)
end

--- Opens a file in a window for code; the chat keeps its window.
---@param path string
---@param pos? { lnum: integer, col?: integer } both from 1
---@param how? "split"|"tab" opens another window
function M.open(path, pos, how)
  local from = api.nvim_get_current_win()
  local buf = vim.fn.bufadd(path)
  vim.bo[buf].buflisted = true
  local code = M.code_window()
  if not how then
    go(buf, from)
  elseif how == "split" and not code then
    make_window(buf, from)
  else
    if how == "split" then
      api.nvim_set_current_win(code)
    end
    vim.cmd(how == "tab" and "tab split" or "split")
    M.let_go(api.nvim_get_current_win())
    api.nvim_win_set_buf(0, buf)
  end
  if pos then
    vim.cmd("normal! m'")
    local lnum = math.max(1, math.min(pos.lnum, api.nvim_buf_line_count(0)))
    local length = #api.nvim_buf_get_lines(0, lnum - 1, lnum, false)[1]
    api.nvim_win_set_cursor(0, { lnum, math.max(0, math.min((pos.col or 1) - 1, length)) })
    vim.cmd("normal! zv")
  end
  hide_float(from)
end

--- Starts to watch windows. Idempotent.
function M.watch()
  local group = require("codex-chat.events").first_group("stay")
  if not group then
    return
  end
  api.nvim_create_autocmd({ "BufEnter", "BufWinEnter", "WinEnter" }, {
    group = group,
    callback = function()
      local win = api.nvim_get_current_win()
      local chat = registry.get(0)
      if chat and shown[win] then
        M.shown(chat, win)
      elseif chat then
        -- A new window or tabpage first shows the current buffer.
        vim.schedule(function()
          if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == chat.buf then
            M.shown(chat, win)
          end
        end)
      elseif shown[win] then
        vim.schedule(function()
          look(win)
        end)
      end
    end,
  })
  -- Not when a window is entered: a new one shows the current buffer at first.
  api.nvim_create_autocmd("WinLeave", {
    group = group,
    callback = function()
      local win = api.nvim_get_current_win()
      if M.is_for_code(win) then
        last_code[api.nvim_get_current_tabpage()] = win
      end
    end,
  })
  api.nvim_create_autocmd("WinClosed", {
    group = group,
    callback = function(args)
      local win = tonumber(args.match) or 0
      shown[win], hiders[win] = nil, nil
    end,
  })
  api.nvim_create_autocmd("TabClosed", {
    group = group,
    callback = function()
      for tab in pairs(last_code) do
        if not api.nvim_tabpage_is_valid(tab) then
          last_code[tab] = nil
        end
      end
    end,
  })
end

return M
