--- The review's tab page: its windows, their sizes, and the way back.
local M = {}

local draw = require("codex-chat.review.comments.draw")
local keys = require("codex-chat.review.keys")
local list = require("codex-chat.review.list")
local state = require("codex-chat.review.state")
local text = require("codex-chat.review.text")

local api = vim.api

--- From this many columns on, the list stands beside the files instead of above them.
local wide = 120
--- Columns of the list beside the files, and the most lines of the one above.
local list_width, list_height = 38, 7

---@return boolean
local function is_wide()
  return vim.o.columns >= wide
end

--- Gives the windows their sizes.
---@param review codex-chat.Review
function M.resize(review)
  if not api.nvim_win_is_valid(review.list) or not api.nvim_win_is_valid(review.right_win) then
    return
  end
  if review.is_wide then
    api.nvim_win_set_width(review.list, math.min(list_width, math.floor(vim.o.columns / 3)))
  else
    local most = math.max(2, math.min(list_height, math.floor(vim.o.lines / 4)))
    api.nvim_win_set_height(review.list, math.min(most, list.height(review)))
  end
  local left = review.left_win
  if left and api.nvim_win_is_valid(left) and not review.stacked then
    local both = api.nvim_win_get_width(left) + api.nvim_win_get_width(review.right_win)
    api.nvim_win_set_width(left, math.floor(both / 2))
  end
end

---@param win integer
---@param options table<string, any>
local function set(win, options)
  for name, value in pairs(options) do
    vim.wo[win][0][name] = value
  end
end

---@param review codex-chat.Review
local function make_list(review)
  local buf = api.nvim_create_buf(false, true)
  review.list_buf = buf
  pcall(api.nvim_buf_set_name, buf, "codex-chat://review")
  vim.bo[buf].modifiable, vim.bo[buf].modeline, vim.bo[buf].undolevels = false, false, -1
  require("codex-chat.outside.runtime").set_filetype(buf, "codexchatreview")
  keys.map(buf, true)
  for _, lhs in ipairs({ "<CR>", "o", "<2-LeftMouse>" }) do
    vim.keymap.set("n", lhs, "<Plug>(codex-chat-review-open)", {
      buffer = buf,
      nowait = true,
      desc = "codex-chat: open the file",
    })
  end
end

--- Opens the tab page with a list and, beside or below it, one or two windows for files.
---@param review codex-chat.Review
function M.open(review)
  review.from = api.nvim_get_current_win()
  -- Diff mode adds to it, and takes away more than it has added.
  review.scrollopt = vim.o.scrollopt
  review.is_wide = is_wide()
  review.stacked = vim.o.diffopt:find("horizontal", 1, true) ~= nil
  make_list(review)
  vim.cmd(("tab sbuffer %d"):format(review.list_buf))
  review.tab, review.list = api.nvim_get_current_tabpage(), api.nvim_get_current_win()
  local empty = text.scratch("review/empty", {}, "")
  vim.bo[empty].bufhidden = "wipe"
  review.right_win = api.nvim_open_win(empty, true, {
    win = review.list,
    split = review.is_wide and "right" or "below",
  })
  if not review.inline then
    review.left_win = api.nvim_open_win(empty, false, {
      win = review.right_win,
      split = review.stacked and "above" or "left",
    })
  end
  set(review.list, {
    number = false,
    relativenumber = false,
    signcolumn = "no",
    foldcolumn = "0",
    statuscolumn = "",
    colorcolumn = "",
    wrap = false,
    list = false,
    spell = false,
    cursorline = true,
    winfixwidth = review.is_wide,
    winfixheight = not review.is_wide,
    winhighlight = "",
  })
  M.watch(review)
  M.resize(review)
end

---@type table<integer, string> winbars of the user's buffers, by window
local winbars = {}

--- Sets a winbar in a window of the review; the one that was there comes back.
---@param win integer
---@param words string
function M.set_winbar(win, words)
  if api.nvim_win_get_height(win) < 2 then
    return
  end
  if not winbars[win] then
    winbars[win] = api.nvim_get_option_value("winbar", { win = win, scope = "local" })
  end
  vim.wo[win][0].winbar = words
end

--- Takes all that the review has set in a file's window away again: Neovim would set it in the next window
--- that shows the buffer.
---@param win? integer
function M.release(win)
  if not win or not api.nvim_win_is_valid(win) then
    return
  end
  api.nvim_win_call(win, function()
    vim.cmd("diffoff")
  end)
  if winbars[win] then
    vim.wo[win][0].winbar = winbars[win]
    winbars[win] = nil
  end
  keys.unmap(api.nvim_win_get_buf(win))
end

--- Called when a window of the review was closed by the user.
---@type fun()
M.on_closed = function() end

--- Takes what the review has set in a file's window away after the user has opened another file there:
--- Neovim keeps a buffer's window options for its next window.
---@param review codex-chat.Review
local function left_by_user(review)
  local buf, winbar =
    review.right_buf, --[[@as integer]]
    winbars[review.right_win]
  winbars[review.right_win], review.right_buf = nil, nil
  keys.unmap(buf)
  draw.clear(buf)
  -- A window cannot be opened while a buffer is being entered.
  vim.schedule(function()
    if not api.nvim_buf_is_loaded(buf) then
      return
    end
    local win = api.nvim_open_win(buf, false, {
      relative = "editor",
      row = 0,
      col = 0,
      width = 1,
      height = 1,
      focusable = false,
      noautocmd = true,
    })
    api.nvim_win_call(win, function()
      vim.cmd("diffoff")
    end)
    vim.wo[win][0].winbar = winbar or ""
    api.nvim_win_close(win, true)
  end)
end

---@param review codex-chat.Review
function M.watch(review)
  local group = api.nvim_create_augroup("codex-chat.reviewing", {})
  api.nvim_create_autocmd("WinClosed", {
    group = group,
    callback = function(args)
      local win = tonumber(args.match)
      if win == review.left_win or win == review.right_win then
        M.release(review.left_win)
        M.release(review.right_win)
        vim.schedule(M.on_closed)
      end
    end,
  })
  api.nvim_create_autocmd("TabClosed", {
    group = group,
    callback = function()
      if not api.nvim_tabpage_is_valid(review.tab) then
        vim.schedule(M.on_closed)
      end
    end,
  })
  api.nvim_create_autocmd({ "WinEnter", "BufEnter" }, {
    group = group,
    callback = function()
      local win = api.nvim_get_current_win()
      local right = review.right_buf
      if win ~= review.right_win or not right or review.is_switching then
        return
      elseif api.nvim_win_get_buf(win) == right then
        keys.map(right, false)
      elseif api.nvim_buf_is_loaded(right) and vim.bo[right].buftype == "" then
        left_by_user(review)
      end
    end,
  })
  api.nvim_create_autocmd("WinLeave", {
    group = group,
    callback = function()
      if api.nvim_get_current_win() == review.right_win and review.right_buf then
        keys.unmap(review.right_buf)
      end
    end,
  })
  api.nvim_create_autocmd({ "VimResized", "WinResized" }, {
    group = group,
    callback = vim.schedule_wrap(function()
      if state.current == review and api.nvim_win_is_valid(review.list) then
        if vim.o.columns ~= review.columns then
          review.columns = vim.o.columns
          M.resize(review)
        end
        list.draw(review)
      end
    end),
  })
  review.columns = vim.o.columns
  -- A session must not restore windows of a review that is gone.
  api.nvim_create_autocmd("VimLeavePre", { group = group, callback = M.on_closed })
end

---@param buf? integer
local function wipe(buf)
  if buf and api.nvim_buf_is_valid(buf) and vim.bo[buf].buftype == "nofile" then
    pcall(api.nvim_buf_delete, buf, { force = true })
  end
end

--- Unloads files that the review has opened and nobody has used.
---@param review codex-chat.Review
local function let_go(review)
  for buf, tick in pairs(review.loaded) do
    if api.nvim_buf_is_valid(buf) then
      if
        (not api.nvim_buf_is_loaded(buf) or api.nvim_buf_get_changedtick(buf) == tick)
        and not vim.bo[buf].modified
        and not vim.bo[buf].buflisted
        and #vim.fn.win_findbuf(buf) == 0
      then
        pcall(api.nvim_buf_delete, buf, {})
      else
        vim.bo[buf].buflisted = true
      end
    end
  end
end

--- Closes the tab page and goes back to where the user came from.
---@param review codex-chat.Review
function M.close(review)
  pcall(api.nvim_del_augroup_by_name, "codex-chat.reviewing")
  M.release(review.left_win)
  M.release(review.right_win)
  vim.o.scrollopt = review.scrollopt
  draw.sync_all(review.chat)
  if review.right_buf then
    draw.clear(review.right_buf)
  end
  local here = api.nvim_get_current_tabpage() == review.tab
  if api.nvim_tabpage_is_valid(review.tab) then
    if #api.nvim_list_tabpages() > 1 then
      pcall(vim.cmd, ("tabclose %d"):format(api.nvim_tabpage_get_number(review.tab)))
    else
      -- The last tab page keeps the file, without the review around it.
      for _, win in ipairs({ review.list, review.left_win }) do
        if win and api.nvim_win_is_valid(win) then
          pcall(api.nvim_win_close, win, true)
        end
      end
    end
  end
  if here and api.nvim_win_is_valid(review.from) then
    api.nvim_set_current_win(review.from)
  end
  wipe(review.list_buf)
  wipe(review.left_buf)
  wipe(review.right_buf)
  let_go(review)
end

return M
