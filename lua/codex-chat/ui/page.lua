--- Pages: text of the plugin in a window of its own, which a key closes.
local M = {}

local api = vim.api

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

--- Shows a page, in place of an older one of its name. `q` closes it.
---@param lines string[]
---@param title string the buffer's name after `codex-chat://`
function M.show(lines, title)
  local name = "codex-chat://" .. title
  if not enter(name) then
    vim.cmd("botright new")
  end
  local buf = api.nvim_get_current_buf()
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = "nofile", "wipe", false
  -- A page in another tabpage may have the name.
  pcall(api.nvim_buf_set_name, buf, name)
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  -- SECURITY: the page holds the agent's text. With the file type "markdown", Neovim's highlighter
  -- would load any parser that a fence names.
  vim.bo[buf].modifiable, vim.bo[buf].modeline = false, false
  require("codex-chat.outside.runtime").set_filetype(buf, "codexchatpage")
  require("codex-chat.highlight").attach(buf)
  api.nvim_win_set_height(0, math.min(#lines + 1, math.floor(vim.o.lines * 0.6)))
  vim.wo[0][0].number, vim.wo[0][0].signcolumn, vim.wo[0][0].wrap = false, "no", true
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = buf, desc = "close this page" })
end

return M
