--- The window beside the chat, which follows the file that Codex reads or edits.
---
--- It never takes the focus, and never the window that the user is in. A window whose buffer has unsaved
--- changes keeps it.
local M = {}

local registry = require("codex-chat.registry")
local text = require("codex-chat.review.text")

local api = vim.api

---@param win integer
---@return boolean
local function may_follow(win)
  local buf = api.nvim_win_get_buf(win)
  return not registry.floats(win)
    and not registry.get(buf)
    and vim.bo[buf].buftype == ""
    and not vim.bo[buf].modified
    and not vim.wo[win].diff
    and not vim.wo[win].previewwindow
    and not vim.wo[win].winfixbuf
end

--- The window beside the chat: the one that followed before, else the one that the user came from, else
--- the largest.
---@param chat codex-chat.Chat
---@return integer?
local function window(chat)
  local wins = api.nvim_tabpage_list_wins(0)
  local shows = vim.iter(wins):any(function(win)
    return api.nvim_win_get_buf(win) == chat.buf and not registry.floats(win)
  end)
  if not shows then
    return nil
  end
  local before = vim.fn.win_getid(vim.fn.winnr("#"))
  local best, most
  for _, win in ipairs(wins) do
    local size = api.nvim_win_get_width(win) * api.nvim_win_get_height(win)
    local rank = vim.w[win].codex_chat_follows and math.huge or win == before and 10 ^ 9 or size
    if may_follow(win) and (not most or rank > most) then
      best, most = win, rank
    end
  end
  return best ~= api.nvim_get_current_win() and best or nil
end

--- Opens a file as `:edit` would, but for its modeline and for file type plugins of the project, and
--- without a question about a swap file.
---@param win integer
---@param path string
---@param lines string[]
local function open(win, path, lines)
  local buf = registry.find_name(path) or vim.fn.bufadd(path)
  local function set()
    api.nvim_win_set_buf(win, buf)
  end
  if api.nvim_buf_is_loaded(buf) then
    set()
    return
  end
  local swap = api.nvim_create_autocmd("SwapExists", {
    callback = function()
      vim.cmd("let v:swapchoice = 'o'")
    end,
  })
  local ok, err = pcall(text.read_quietly, buf, text.filetype(path, lines), set)
  api.nvim_del_autocmd(swap)
  if not ok then
    error(err, 0)
  end
  vim.bo[buf].buflisted = true
end

--- Shows a file of the project beside its chat, if a window is free for it.
---@param chat codex-chat.Chat
---@param path string absolute; SECURITY: a program in the sandbox may have named it
---@param line? integer
function M.show(chat, path, line)
  local root = vim.uv.fs_realpath(chat.root)
  if not root or not vim.startswith(path, root .. "/") or vim.fn.getcmdwintype() ~= "" then
    return
  elseif require("codex-chat.disk.inside").is_hidden(path:sub(#root + 2)) then
    return
  end
  local win = window(chat)
  if not win then
    return
  end
  if api.nvim_buf_get_name(api.nvim_win_get_buf(win)) ~= path then
    local ok, _, lines = require("codex-chat.review.pair").may_open(path)
    if not ok then
      return
    end
    open(win, path, lines or {})
  end
  api.nvim_win_set_var(win, "codex_chat_follows", true)
  if line then
    local count = api.nvim_buf_line_count(api.nvim_win_get_buf(win))
    api.nvim_win_set_cursor(win, { math.min(line, count), 0 })
    api.nvim_win_call(win, function()
      vim.cmd("silent! normal! zvzz")
    end)
  end
end

return M
