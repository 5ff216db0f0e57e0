--- Pages: text of the plugin in a window of its own, which `q` closes.
local M = {}

local api = vim.api

---@class (exact) codex-chat.Origin where the user was before a page
---@field win integer
---@field inserting boolean whether in insert mode

---@type table<integer, codex-chat.Origin> by the page's buffer
local origins = {}

--- The options of a page's window: markdown without its marks, and lines that go on below their text.
local options = {
  number = false,
  relativenumber = false,
  signcolumn = "no",
  wrap = true,
  linebreak = true,
  breakindent = true,
  breakindentopt = "list:-1",
  conceallevel = 2,
  concealcursor = "nc",
}

--- Where the user is now.
---@return codex-chat.Origin
function M.origin()
  local inserting = api.nvim_get_mode().mode:sub(1, 1) == "i"
  return { win = api.nvim_get_current_win(), inserting = inserting }
end

--- Closes the page in the current window and goes back to where the user came from.
---@param buf integer
local function close(buf)
  local origin = origins[buf]
  if not pcall(api.nvim_win_close, 0, false) then
    -- The last window of all.
    vim.cmd(vim.fn.bufloaded(vim.fn.bufnr("#")) == 1 and "buffer #" or "enew")
    return
  end
  if not origin or not api.nvim_win_is_valid(origin.win) then
    return
  end
  api.nvim_set_current_win(origin.win)
  if origin.inserting and vim.bo.modifiable then
    vim.cmd("startinsert!")
  end
end

--- Makes `q` close the window of a page, and ends insert mode there.
---@param buf integer
---@param origin codex-chat.Origin
function M.closes(buf, origin)
  vim.cmd.stopinsert()
  if not origins[buf] then
    api.nvim_create_autocmd("BufWipeout", {
      buffer = buf,
      callback = function()
        origins[buf] = nil
      end,
    })
  end
  origins[buf] = origin
  vim.keymap.set("n", "q", function()
    close(buf)
  end, { buffer = buf, nowait = true, desc = "codex-chat: close this page" })
  vim.keymap.set("n", "g?", function()
    require("codex-chat.message").info("q closes this page and goes back.")
  end, { buffer = buf, nowait = true, desc = "codex-chat: show the keys of this page" })
end

--- Goes to the page of this name; false if this tabpage shows none.
---@param name string
---@return boolean
local function enter(name)
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if api.nvim_buf_get_name(api.nvim_win_get_buf(win)) == name then
      api.nvim_set_current_win(win)
      return true
    end
  end
  return false
end

--- Sets a page's text, and the height of its windows.
---@param buf integer
---@param lines string[]
function M.set(buf, lines)
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    api.nvim_win_set_height(win, math.min(#lines + 1, math.floor(vim.o.lines * 0.6)))
  end
end

--- Shows a page, in place of an older one of its name.
---@param lines string[]
---@param title string the buffer's name after `codex-chat://`
function M.show(lines, title)
  local name = "codex-chat://" .. title
  -- Shown again from itself, it keeps the place from before.
  local here = api.nvim_get_current_buf()
  local origin = api.nvim_buf_get_name(here) == name and origins[here] or M.origin()
  if not enter(name) then
    vim.cmd("botright new")
  end
  local buf = api.nvim_get_current_buf()
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = "nofile", "wipe", false
  -- A page in another tabpage may have the name.
  pcall(api.nvim_buf_set_name, buf, name)
  M.set(buf, lines)
  vim.bo[buf].modeline = false
  -- SECURITY: the page holds the agent's text. With the file type "markdown", Neovim's highlighter
  -- would load any parser that a fence names.
  require("codex-chat.outside.runtime").set_filetype(buf, "codexchatpage")
  require("codex-chat.highlight").attach(buf)
  for option, value in pairs(options) do
    vim.wo[0][0][option] = value
  end
  -- The text beside a key or a command, or of a list's item.
  vim.bo[buf].formatlistpat = [[^ \{4}.*\s\{2,}\|^\s*[-*+]\s\+]]
  M.closes(buf, origin)
end

return M
