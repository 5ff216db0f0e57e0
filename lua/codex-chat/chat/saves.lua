--- Notes what the user saves while Codex works, so that an undo of Codex's turn leaves it alone.
local M = {}

local api = vim.api

--- A larger file is not recorded either.
local max_bytes = 10 * 1024 * 1024

--- Copies of files as they were on disk, by buffer, while each is being written.
---@type table<integer, { chat: codex-chat.Chat, path: string, before?: string }>
local pending = {}
local count = 0

--- A conversation whose turn runs in the project of a file.
---@param path string
---@return codex-chat.Chat?
local function busy_chat(path)
  for _, chat in ipairs(require("codex-chat.registry").all()) do
    local phase = chat.state.phase
    if phase ~= "idle" and phase ~= "failed" and vim.startswith(path, chat.root .. "/") then
      return chat
    end
  end
end

---@param chat codex-chat.Chat
---@param path string
---@return boolean ok
---@return string? copy absent where there is no file yet
local function keep(chat, path)
  local stat = vim.uv.fs_stat(path)
  if not stat then
    return true
  end
  local dir = chat.project_dir .. "/checkpoints/saves"
  if stat.type ~= "file" or stat.size > max_bytes or vim.fn.mkdir(dir, "p", "0o700") ~= 1 then
    return false
  end
  count = count + 1
  local copy = ("%s/%d-%d"):format(dir, vim.uv.os_getpid(), count)
  return vim.uv.fs_copyfile(path, copy) and true or false, copy
end

---@param event { buf: integer, file: string }
local function before(event)
  pending[event.buf] = nil
  local path = vim.uv.fs_realpath(event.file) or vim.fn.fnamemodify(event.file, ":p")
  local chat = busy_chat(path)
  if chat and vim.bo[event.buf].buftype == "" then
    local ok, copy = keep(chat, path)
    pending[event.buf] = ok and { chat = chat, path = path, before = copy } or nil
  end
end

---@param event { buf: integer }
local function after(event)
  local save = pending[event.buf]
  pending[event.buf] = nil
  if save then
    local saved = { path = save.path, before = save.before }
    require("codex-chat.host").try_notify(save.chat, "file/saved", saved)
  end
end

--- Watches over the files that the user writes, once.
function M.watch()
  M.watch = function() end
  local group = api.nvim_create_augroup("codex-chat.chat.saves", {})
  api.nvim_create_autocmd("BufWritePre", { group = group, callback = before })
  api.nvim_create_autocmd("BufWritePost", { group = group, callback = after })
end

return M
