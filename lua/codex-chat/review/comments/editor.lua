--- The small window in which a comment is written.
local M = {}

local store = require("codex-chat.review.comments.store")

local api = vim.api

--- Called after a comment was kept or removed; the review draws it then.
---@type fun(chat: codex-chat.Chat)
M.changed = function() end
--- Called with a comment that was removed, as it was.
---@type fun(chat: codex-chat.Chat, comment: codex-chat.Comment)
M.removed = function() end

---@param comment codex-chat.Comment
---@param root string
---@return string
local function place(comment, root)
  local name = require("codex-chat.review.text").relative(comment.path, root)
  if comment.first == 0 then
    return name
  end
  return comment.first == comment.last and ("%s:%d"):format(name, comment.first)
    or ("%s:%d-%d"):format(name, comment.first, comment.last)
end

--- Keeps the text; a comment without text is removed.
---@param chat codex-chat.Chat
---@param comment codex-chat.Comment
---@param buf integer
local function keep(chat, comment, buf)
  local text = vim.trim(table.concat(api.nvim_buf_get_lines(buf, 0, -1, false), "\n"))
  vim.bo[buf].modified = false
  if text ~= "" then
    comment.text = text
    store.put(chat, comment)
  elseif comment.text ~= "" then
    store.remove(chat, comment.id)
    M.removed(chat, comment)
  end
  M.changed(chat)
end

---@param win integer
local function close(win)
  if api.nvim_win_is_valid(win) then
    pcall(api.nvim_win_close, win, true)
  end
end

--- Goes back to where the comment was begun once its window is closed.
---@param win integer
---@param from integer
local function go_back(win, from)
  api.nvim_create_autocmd("WinClosed", {
    pattern = tostring(win),
    once = true,
    callback = vim.schedule_wrap(function()
      local is_here = api.nvim_win_is_valid(from)
        and api.nvim_win_get_tabpage(from) == api.nvim_get_current_tabpage()
      -- The user may be writing the next one already.
      if is_here and vim.b.codex_chat_comment == nil then
        api.nvim_set_current_win(from)
      end
    end),
  })
end

---@param chat codex-chat.Chat
---@param comment codex-chat.Comment
---@param buf integer
---@param win integer
local function map(chat, comment, buf, win)
  vim.keymap.set({ "n", "i" }, "<C-s>", function()
    vim.cmd.stopinsert()
    keep(chat, comment, buf)
    close(win)
  end, { buffer = buf, desc = "codex-chat: keep the comment" })
  vim.keymap.set("n", "q", function()
    if not vim.bo[buf].modified then
      close(win)
      return
    end
    vim.ui.select({ "Keep it", "Discard it" }, {
      prompt = "The comment has changed.",
      kind = "codex-chat-comment",
    }, function(choice)
      if choice == "Keep it" then
        keep(chat, comment, buf)
      end
      if choice then
        close(win)
      end
    end)
  end, { buffer = buf, nowait = true, desc = "codex-chat: close the comment" })
end

--- Goes to the window in which this comment is being written, if there is one.
---@param comment codex-chat.Comment
---@return boolean
local function is_open(comment)
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if vim.b[api.nvim_win_get_buf(win)].codex_chat_comment == comment.id then
      api.nvim_set_current_win(win)
      return true
    end
  end
  return false
end

--- Opens a window below for a comment's text.
---@param chat codex-chat.Chat
---@param comment codex-chat.Comment
function M.open(chat, comment)
  if is_open(comment) then
    return
  end
  local from = api.nvim_get_current_win()
  local buf = api.nvim_create_buf(false, false)
  local is_new = comment.text == ""
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = "acwrite", "wipe", false
  vim.b[buf].codex_chat_comment = comment.id
  local name = ("codex-chat://comment/%s"):format(place(comment, chat.root))
  if not pcall(api.nvim_buf_set_name, buf, name) then
    api.nvim_buf_set_name(buf, ("%s#%d"):format(name, buf))
  end
  api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(comment.text, "\n", { plain = true }))
  vim.bo[buf].modified, vim.bo[buf].modeline = false, false
  local height = math.max(3, math.min(8, math.floor(vim.o.lines / 4)))
  local win = api.nvim_open_win(buf, true, { split = "below", win = -1, height = height })
  for option, value in pairs({
    winfixheight = true,
    diff = false,
    scrollbind = false,
    cursorbind = false,
    number = false,
    relativenumber = false,
    signcolumn = "no",
    foldcolumn = "1",
    foldmethod = "manual",
    wrap = true,
    linebreak = true,
    list = false,
  }) do
    vim.wo[win][0][option] = value
  end
  require("codex-chat.outside.runtime").set_filetype(buf, "markdown")
  vim.wo[win][0].winbar = ("%%#CodexChatReviewTitle# comment · %s%%*%%=%%#CodexChatMuted#<C-s> keep  q close %%*"):format(
    (place(comment, chat.root):gsub("%%", "%%%%"))
  )
  api.nvim_create_autocmd("BufWriteCmd", {
    buffer = buf,
    callback = function()
      keep(chat, comment, buf)
    end,
  })
  map(chat, comment, buf, win)
  go_back(win, from)
  if is_new then
    vim.cmd.startinsert()
  end
end

return M
