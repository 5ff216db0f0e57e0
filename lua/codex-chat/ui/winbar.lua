--- Shows a chat's state in the winbar, or beside the window's text if the winbar is not ours.
---
--- If two plugins write the same winbar in turn, it flickers, and neither can be read. So another
--- winbar is left alone, and ours returns when that one is gone.
local M = {}

local registry = require("codex-chat.registry")
local text_of = require("codex-chat.ui.winbar_text")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.ui.winbar")

--- Marks our winbars and draws nothing: a split window inherits ours.
local signature = "%#WinBar#%*"

---@type table<integer, { buf: integer, mark: integer, row: integer, words: string }> by window
local marks = {}
---@type table<integer, integer> the last chat buffer of a window
local known = {}

---@param win integer
---@return string the local value, without the global one
local function value(win)
  return api.nvim_get_option_value("winbar", { scope = "local", win = win })
end

---@param text string
---@return boolean
local function is_foreign(text)
  return text ~= "" and text:sub(-#signature) ~= signature
end

---@param win integer
local function unmark(win)
  local drawn = marks[win]
  marks[win] = nil
  if drawn and api.nvim_buf_is_valid(drawn.buf) then
    api.nvim_buf_del_extmark(drawn.buf, ns, drawn.mark)
  end
end

--- The parts that must always be visible.
---@param chat codex-chat.Chat
---@return string[][] chunks
local function needed(chat)
  local chunks = {}
  local left, right = text_of.parts(chat)
  local parts = vim.list_extend(left, right)
  table.sort(parts, function(a, b)
    return a.rank < b.rank
  end)
  for _, part in ipairs(parts) do
    local is_needed = part.rank == 2
      or (part.rank == 1 and chat.state.phase ~= "idle")
      or (part.rank == 3 and part.text ~= "gVisor")
    if is_needed and part.text and part.text ~= "" then
      chunks[#chunks + 1] = { (" %s "):format(part.text:gsub("%c", " ")), part.group or "WinBar" }
    end
  end
  return chunks
end

--- The first line in view that no closed fold hides.
---@param win integer
---@return integer row
local function top_row(win)
  return api.nvim_win_call(win, function()
    local first, last = vim.fn.line("w0"), vim.fn.line("w$")
    local lnum = first
    while lnum <= last and vim.fn.foldclosed(lnum) > 0 do
      lnum = vim.fn.foldclosedend(lnum) + 1
    end
    return (lnum <= last and lnum or first) - 1
  end)
end

--- Shows these parts at the right of the window's first line.
---@param chat codex-chat.Chat
---@param win integer
local function mark(chat, win)
  local chunks = needed(chat)
  if #chunks == 0 then
    unmark(win)
    return
  end
  local drawn = marks[win]
  if drawn and drawn.buf ~= chat.buf then
    unmark(win)
    drawn = nil
  end
  local row, words = top_row(win), vim.inspect(chunks)
  if drawn and drawn.row == row and drawn.words == words then
    return
  end
  local id = api.nvim_buf_set_extmark(chat.buf, ns, row, 0, {
    id = drawn and drawn.mark,
    virt_text = chunks,
    virt_text_pos = "right_align",
    hl_mode = "combine",
    priority = 300,
  })
  marks[win] = { buf = chat.buf, mark = id, row = row, words = words }
end

--- Shows the state in every window of the chat.
---@param chat codex-chat.Chat
function M.show(chat)
  for _, win in ipairs(registry.wins(chat.buf)) do
    local now = value(win)
    if is_foreign(now) then
      mark(chat, win)
    else
      unmark(win)
      -- A window of one line has no room for it (E36).
      local fits = api.nvim_win_get_height(win) > 1
      local width = api.nvim_win_get_width(win)
      local text = fits and text_of.text(chat, width) .. signature or ""
      if now ~= text then
        vim.wo[win][0].winbar = text
      end
    end
  end
end

--- Remembers the winbar that the user's file type settings have set in the current window; it stays.
---@param chat codex-chat.Chat
function M.settle(chat)
  local now = value(0)
  chat.winbar = is_foreign(now) and now or nil
end

--- A window shows the chat now. Neovim copies the winbar of the chat's last window: the plugin that
--- wrote it will write it again, or is gone.
---@param chat codex-chat.Chat
---@param win integer
local function enter(chat, win)
  if known[win] == chat.buf then
    return
  end
  known[win] = chat.buf
  local now = value(win)
  if is_foreign(now) and now ~= chat.winbar then
    vim.wo[win][0].winbar = ""
  end
end

--- Starts to watch windows. Idempotent.
function M.watch()
  local group = require("codex-chat.events").first_group("bar")
  if not group then
    return
  end
  local function show_all()
    for _, chat in ipairs(registry.all()) do
      M.show(chat)
    end
  end
  api.nvim_create_autocmd("BufEnter", {
    group = group,
    callback = function()
      local win = api.nvim_get_current_win()
      local chat = registry.get(0)
      if chat then
        enter(chat, win)
      else
        known[win] = nil
        unmark(win)
      end
    end,
  })
  api.nvim_create_autocmd("OptionSet", {
    group = group,
    pattern = "winbar",
    callback = vim.schedule_wrap(show_all),
  })
  api.nvim_create_autocmd("WinScrolled", {
    group = group,
    callback = function()
      for win in pairs(marks) do
        local chat = api.nvim_win_is_valid(win) and registry.get(api.nvim_win_get_buf(win))
        if chat then
          mark(chat, win)
        end
      end
    end,
  })
  api.nvim_create_autocmd("WinClosed", {
    group = group,
    callback = function(args)
      local win = tonumber(args.match) or 0
      unmark(win)
      known[win] = nil
    end,
  })
end

return M
