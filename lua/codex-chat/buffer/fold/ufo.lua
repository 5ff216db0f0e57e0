--- Keeps nvim-ufo off a chat: it deletes all folds of a buffer and makes its own.
local M = {}

local api = vim.api

--- Detaches it from the buffer, for as long as it runs. It may be loaded at any time.
---@param buf integer
local function keep_off(buf)
  local ufo = package.loaded["ufo"]
  -- Before its setup, it raises an error.
  if ufo then
    pcall(ufo.detach, buf)
  end
end

---@param chat codex-chat.Chat
function M.attach(chat)
  keep_off(chat.buf)
  -- Loaded for another buffer, it attaches to every window.
  api.nvim_create_autocmd({ "BufEnter", "BufWinEnter" }, {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      keep_off(chat.buf)
    end,
  })
end

return M
