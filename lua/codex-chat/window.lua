--- The chat's windows: where they open and how they look.
local M = {}

local registry = require("codex-chat.registry")

local api = vim.api

--- Set for the window while it shows the chat; another buffer in it gets the user's own.
local options = {
  wrap = true,
  linebreak = true,
  breakindent = true,
  number = false,
  relativenumber = false,
  signcolumn = "no",
  foldcolumn = "0",
  colorcolumn = "",
  list = false,
  spell = false,
  cursorbind = false,
  scrollbind = false,
  foldenable = true,
  foldmethod = "manual",
  foldtext = "v:lua.require'codex-chat.fold'.foldtext()",
  -- Concealing is slow on long buffers and hides what a query says.
  conceallevel = 0,
}

--- Makes the window look like a chat, for as long as it shows this buffer.
---@param chat codex-chat.Chat
---@param win integer
function M.dress(chat, win)
  for name, value in pairs(options) do
    -- The `[0]` is `:setlocal`: without it the next buffer of the window would have them too.
    vim.wo[win][0][name] = value
  end
  local fill = vim.go.fillchars
  vim.wo[win][0].fillchars = (fill == "" and "" or fill .. ",") .. "fold: "
  require("codex-chat.fold").window(win)
  require("codex-chat.status").show(chat)
end

--- The window of the current tabpage that shows the chat.
---@param buf integer
---@return integer?
function M.find(buf)
  local current = api.nvim_get_current_win()
  local wins = registry.wins(buf, 0)
  return vim.list_contains(wins, current) and current or wins[1]
end

local splits = { right = "right", left = "left", top = "above", bottom = "below" }

---@param size number
---@param whole integer
---@return integer
local function extent(size, whole)
  return math.max(1, math.floor(size < 1 and whole * size or math.min(size, whole)))
end

--- Shows the chat in a window of the current tabpage and goes there.
---@param chat codex-chat.Chat
---@return integer win
function M.open(chat)
  local found = M.find(chat.buf)
  if found then
    api.nvim_set_current_win(found)
    return found
  end
  local config = require("codex-chat.config").get().window
  local position = config.position
  if position == "tab" then
    vim.cmd("tab split")
    api.nvim_win_set_buf(0, chat.buf)
    return api.nvim_get_current_win()
  end
  local sideways = position == "left" or position == "right"
  return api.nvim_open_win(chat.buf, true, {
    win = -1,
    split = splits[position],
    width = sideways and math.min(
      math.max(extent(config.size, vim.o.columns), config.min_width),
      math.max(1, vim.o.columns - vim.o.winminwidth - 1)
    ) or nil,
    height = not sideways and extent(config.size, vim.o.lines) or nil,
  })
end

--- Takes the chat out of the current tabpage. The last window of all gets an empty buffer instead.
---@param chat codex-chat.Chat
function M.close(chat)
  for _, win in ipairs(registry.wins(chat.buf, 0)) do
    M.remember(chat, win)
    local ok = pcall(api.nvim_win_close, win, false)
    if not ok and api.nvim_win_is_valid(win) then
      local alternate = api.nvim_win_call(win, function()
        return vim.fn.bufnr("#")
      end)
      if alternate < 1 or alternate == chat.buf or not api.nvim_buf_is_loaded(alternate) then
        alternate = api.nvim_create_buf(true, false)
      end
      api.nvim_win_set_buf(win, alternate)
    end
  end
end

local ns = api.nvim_create_namespace("codex-chat.view")

--- Remembers where a window stands, in marks that move with the text.
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
    in_prompt = view.lnum > require("codex-chat.blocks").prompt_row(chat),
  }
end

--- Puts a window to where the chat was seen last.
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
    require("codex-chat.view").show_end(win)
  end
  return true
end

return M
