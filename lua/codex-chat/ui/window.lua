--- Opens and closes the chat's windows, and sets their options.
local M = {}

local last_view = require("codex-chat.ui.last_view")
local registry = require("codex-chat.registry")

local api = vim.api

--- The default options of a chat's window.
local options = {
  wrap = true,
  linebreak = true,
  breakindent = true,
  -- A wrapped item of a list goes on below its text: 'formatlistpat' finds where that begins.
  breakindentopt = "list:-1",
  number = false,
  relativenumber = false,
  -- Two columns for the marks of calls and the bars of questions and sections.
  signcolumn = "yes:1",
  foldcolumn = "0",
  statuscolumn = "",
  -- Some plugins set it so that the window's next buffer inherits it.
  winbar = "",
  colorcolumn = "",
  list = false,
  spell = false,
  cursorbind = false,
  scrollbind = false,
  foldenable = true,
  foldmethod = "manual",
  -- A fold is a line of the conversation like any other, and the bars stand beside their text.
  winhighlight = "Folded:Normal,SignColumn:Normal",
  foldtext = "v:lua.require'codex-chat.buffer.fold'.foldtext()",
  -- The marks of markdown are hidden, but where the user types.
  conceallevel = 2,
  concealcursor = "nc",
}

---@param win integer
local function set_defaults(win)
  if vim.wo[win].foldtext == options.foldtext then
    -- Read again by `:edit`: the options are the user's already.
    return
  end
  for name, value in pairs(options) do
    -- `[0]` means `:setlocal`: without it the window's next buffer would inherit them.
    vim.wo[win][0][name] = value
  end
  local fill = vim.go.fillchars
  vim.wo[win][0].fillchars = (fill == "" and "" or fill .. ",") .. "fold: "
end

--- Takes back folds by treesitter or a language server, which many configurations set for every file type.
--- A chat has its own, which need 'foldmethod' manual.
---@param win integer
local function keep_folds(win)
  local by = vim.wo[win].foldexpr
  local is_general = by:find("treesitter", 1, true) or by:find("lsp.foldexpr", 1, true)
  if vim.wo[win].foldmethod == "expr" and is_general then
    vim.wo[win][0].foldmethod = options.foldmethod
  end
end

--- More options that a user may change.
local more = {
  "cursorcolumn",
  "cursorline",
  "cursorlineopt",
  "fillchars",
  "foldlevel",
  "listchars",
  "scrolloff",
  "showbreak",
  "sidescrolloff",
}

---@param win integer
---@return table<string, any>
local function looks_of(win)
  local found = {}
  for _, name in ipairs(vim.list_extend(vim.tbl_keys(options), more)) do
    found[name] = api.nvim_get_option_value(name, { scope = "local", win = win })
  end
  found.winbar = nil
  return found
end

--- Copies options that the user has changed by hand in the window of another chat in view.
---@param chat codex-chat.Chat
---@param win integer
local function copy_changes(chat, win)
  for _, other in ipairs(registry.all()) do
    local from = other ~= chat and other.looks and M.find(other.buf)
    for name, value in pairs(from and looks_of(from) or {}) do
      if value ~= other.looks[name] then
        vim.wo[win][0][name] = value
      end
    end
    if from then
      return
    end
  end
end

---@generic T
---@param fn fun(): T
---@return T
local function without_events(fn)
  local before = vim.o.eventignore
  vim.o.eventignore = "all"
  local ok, result = pcall(fn)
  vim.o.eventignore = before
  if not ok then
    error(result, 0)
  end
  return result
end

--- Sets the chat's window options, once and before the user's file type settings, which `set_filetype`
--- runs in a window of the chat so that they can change them. From then on the options are the user's:
--- Neovim remembers those of a buffer's last window for its next one.
---
--- A buffer without a window gets a hidden one meanwhile: in the window that Neovim uses for
--- autocommands the options would be lost.
---@param chat codex-chat.Chat
---@param set_filetype fun()
function M.settle(chat, set_filetype)
  local wins = vim.tbl_filter(function(win)
    return vim.fn.win_gettype(win) ~= "autocmd"
  end, registry.wins(chat.buf))
  local hidden
  if #wins == 0 then
    hidden = without_events(function()
      return api.nvim_open_win(chat.buf, false, {
        relative = "editor",
        row = 0,
        col = 0,
        width = math.max(1, vim.o.columns),
        height = math.max(1, vim.o.lines - 1),
        focusable = false,
        hide = true,
        noautocmd = true,
      })
    end)
    wins = { hidden }
  end
  for _, win in ipairs(wins) do
    set_defaults(win)
  end
  local current = api.nvim_get_current_win()
  local win = vim.list_contains(wins, current) and current or wins[1]
  vim.b[chat.buf].focus_disable = true
  local ok, err = pcall(api.nvim_win_call, win, function()
    set_filetype()
    keep_folds(win)
    require("codex-chat.ui.winbar").settle(chat)
    if not chat.looks then
      chat.looks = looks_of(win)
      copy_changes(chat, win)
    end
  end)
  if hidden and api.nvim_win_is_valid(hidden) then
    without_events(function()
      api.nvim_win_close(hidden, true)
    end)
  end
  if not ok then
    error(err, 0)
  end
end

--- Prepares a window that shows the chat now.
---@param chat codex-chat.Chat
---@param win integer
function M.shown(chat, win)
  require("codex-chat.buffer.fold").window(win)
  require("codex-chat.ui.stay").shown(chat, win)
  require("codex-chat.ui.winbar").show(chat)
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

---@class (exact) codex-chat.Before the layout of a tabpage around the opening of the chat
---@field before codex-chat.Layout
---@field after codex-chat.Layout after the chat has opened

---@type table<integer, codex-chat.Before> by the chat's window
local room = {}

--- How much of the screen a floating chat takes in height, while the user has not resized it.
local float_height = 0.8

---@class (exact) codex-chat.Float
---@field width integer as it was set last
---@field height integer
---@field columns integer the screen at that time
---@field lines integer

---@type table<integer, codex-chat.Float> by window
local floats = {}
---@type { width?: number, height?: number } shares of the screen that the user gave a floating chat
local by_hand = {}
---@type table<integer, integer> the buffers that chats have replaced in the user's windows
local replaced = {}

--- The place of a floating chat: in the middle of the screen, which keeps a margin.
---@return vim.api.keyset.win_config
local function float_config()
  local lines = vim.o.lines - vim.o.cmdheight
  local width = by_hand.width and math.floor(by_hand.width * vim.o.columns + 0.5)
    or require("codex-chat.ui.size").opening("width")
  local height = math.floor((by_hand.height or float_height) * lines + 0.5)
  -- The border takes one cell on each side.
  width = math.max(1, math.min(width, vim.o.columns - 2))
  height = math.max(1, math.min(height, lines - 2))
  return {
    relative = "editor",
    width = width,
    height = height,
    row = math.max(0, math.floor((lines - height - 2) / 2)),
    col = math.max(0, math.floor((vim.o.columns - width - 2) / 2)),
  }
end

---@param win integer
---@param config vim.api.keyset.win_config
local function know_float(win, config)
  floats[win] = {
    width = config.width,
    height = config.height,
    columns = vim.o.columns,
    lines = vim.o.lines - vim.o.cmdheight,
  }
end

--- Remembers a size that the user gave a floating chat.
---@param win integer
local function look_at_float(win)
  local was, now = floats[win], api.nvim_win_get_config(win)
  if was and now.relative ~= "" then
    by_hand.width = now.width ~= was.width and now.width / was.columns or by_hand.width
    by_hand.height = now.height ~= was.height and now.height / was.lines or by_hand.height
  end
end

--- Gives floating chats their share of a screen that was resized.
local function resize_floats()
  for win in pairs(floats) do
    if not api.nvim_win_is_valid(win) or not registry.floats(win) then
      floats[win] = nil
    else
      look_at_float(win)
      local config = float_config()
      api.nvim_win_set_config(win, config)
      know_float(win, config)
    end
  end
end

---@param chat codex-chat.Chat
---@return integer win
local function open_float(chat)
  local config = float_config()
  local border = vim.fn.exists("+winborder") == 1 and vim.o.winborder or ""
  local frame = {
    border = border ~= "" and border or "rounded",
    -- Below menus, pickers and popups.
    zindex = 40,
  }
  local win = api.nvim_open_win(chat.buf, true, vim.tbl_extend("error", config, frame))
  know_float(win, config)
  require("codex-chat.ui.stay").hides(win, function()
    last_view.remember(chat, win)
    look_at_float(win)
    floats[win] = nil
    pcall(api.nvim_win_close, win, false)
  end)
  api.nvim_create_autocmd("VimResized", {
    group = api.nvim_create_augroup("codex-chat.float", {}),
    callback = resize_floats,
  })
  return win
end

--- Shows the chat in place of the current window's buffer, or in the last window for code.
---@param chat codex-chat.Chat
---@return integer? win nil if no window may be taken
local function take_window(chat)
  local stay = require("codex-chat.ui.stay")
  local current = api.nvim_get_current_win()
  local win = stay.is_for_code(current) and current or stay.code_window()
  if not win then
    return nil
  end
  local buf = api.nvim_win_get_buf(win)
  api.nvim_set_current_win(win)
  -- Fails if 'nohidden' keeps a changed buffer in its window.
  if not pcall(api.nvim_win_set_buf, win, chat.buf) then
    return nil
  end
  replaced[win] = buf
  require("codex-chat.ui.size").taken(win)
  return win
end

--- Shows the chat in a window of the current tabpage and enters it.
---@param chat codex-chat.Chat
---@return integer win
function M.open(chat)
  local size = require("codex-chat.ui.size")
  local found = M.find(chat.buf)
  if found then
    api.nvim_set_current_win(found)
    size.entered(found)
    return found
  end
  local position = require("codex-chat.config").get().window.position
  if position == "tab" then
    vim.cmd("tab split")
    api.nvim_win_set_buf(0, chat.buf)
    return api.nvim_get_current_win()
  elseif position == "float" then
    return open_float(chat)
  end
  local taken = position == "current" and take_window(chat)
  if taken then
    return taken
  end
  position = splits[position] and position or "right"
  local axis = (position == "left" or position == "right") and "width" or "height"
  local before = size.others(0)
  local win = api.nvim_open_win(chat.buf, true, {
    win = -1,
    split = splits[position],
    [axis] = size.opening(axis),
  })
  size.opened(win, axis)
  room[win] = { before = before, after = size.others(win) }
  return win
end

--- Closes a window of the chat. The other windows get the sizes from before it opened, unless they were
--- changed since: with 'equalalways' Neovim would make all the same size.
---@param win integer
---@return boolean closed
local function close(win)
  local size = require("codex-chat.ui.size")
  local was = room[win]
  room[win] = nil
  local is_as_left = was and vim.deep_equal(was.after, size.others(win))
  local equal = vim.o.equalalways
  vim.o.equalalways = equal and not is_as_left
  local ok = pcall(api.nvim_win_close, win, false)
  vim.o.equalalways = equal
  if ok and was and is_as_left then
    size.put(was.before)
  end
  return ok
end

--- Closes the chat in the current tabpage. The last window of all gets another buffer instead.
---@param chat codex-chat.Chat
function M.close(chat)
  for _, win in ipairs(registry.wins(chat.buf, 0)) do
    last_view.remember(chat, win)
    look_at_float(win)
    floats[win] = nil
    local before = replaced[win]
    replaced[win] = nil
    if (before or not close(win)) and api.nvim_win_is_valid(win) then
      local buf = before
      if not buf or not api.nvim_buf_is_valid(buf) then
        buf = api.nvim_win_call(win, function()
          return vim.fn.bufnr("#")
        end)
        if buf < 1 or buf == chat.buf or not api.nvim_buf_is_loaded(buf) then
          buf = api.nvim_create_buf(true, false)
        end
      end
      require("codex-chat.ui.stay").let_go(win)
      api.nvim_win_set_buf(win, buf)
    end
  end
end

return M
