--- Gets Neovim to take a buffer as being in sync with its file, without reading or writing (decision
--- 0026).
---
--- Neovim remembers the time of the file that it has read or written, and asks before it overwrites
--- another one. After a BufWriteCmd, which is to write in Neovim's place, it takes the file's time anew,
--- and marks all earlier states of the undo history as not being in the file. Here that BufWriteCmd
--- writes nothing, because the file has the text already.
local M = {}

local api = vim.api

--- Whether this can be done for a buffer: not if a BufWriteCmd of somebody's would write it, nor with
--- 'nowrite'.
---@param buf integer
---@return boolean
function M.is_possible(buf)
  if not vim.o.write then
    return false
  end
  local name = api.nvim_buf_get_name(buf)
  local tail = vim.fs.basename(name)
  return not vim.iter(api.nvim_get_autocmds({ event = "BufWriteCmd" })):any(function(autocmd)
    if autocmd.buflocal then
      return autocmd.buffer == buf
    end
    local ok, pattern = pcall(vim.fn.glob2regpat, autocmd.pattern)
    return not ok or vim.fn.match(name, pattern) >= 0 or vim.fn.match(tail, pattern) >= 0
  end)
end

--- Sets an option of the buffer's, unheard.
---@param buf integer
---@param name string
---@param value any
local function set(buf, name, value)
  local ignored = vim.o.eventignore
  vim.o.eventignore = "all"
  vim.bo[buf][name] = value
  vim.o.eventignore = ignored
end

---@param buf integer
---@return boolean heard
local function write_nothing(buf)
  local heard = false
  local id = api.nvim_create_autocmd("BufWriteCmd", {
    buffer = buf,
    callback = function()
      heard = true
      vim.bo[buf].modified = false
    end,
  })
  local ignored = vim.o.eventignore
  -- Where no autocommand can run, within another one, a buffer of this type is not written at all.
  set(buf, "buftype", "acwrite")
  vim.o.eventignore = ""
  set(buf, "modified", true)
  api.nvim_buf_call(buf, function()
    pcall(vim.cmd, "silent! lockmarks keepalt write!")
  end)
  set(buf, "buftype", "")
  vim.o.eventignore = ignored
  pcall(api.nvim_del_autocmd, id)
  return heard
end

--- Takes the buffer as being in sync with its file, which keeps the undo file up to date as well. The
--- buffer is not modified after that.
---@param buf integer
---@param content codex-chat.Content what the file holds
---@return boolean done not if it cannot be done now, or if the file has changed meanwhile
function M.take(buf, content)
  local bo = vim.bo[buf]
  for _, name in ipairs({ "fileencoding", "bomb", "fileformat", "endofline" }) do
    if bo[name] ~= content[name] then
      set(buf, name, content[name])
    end
  end
  set(buf, "modified", false)
  local name = api.nvim_buf_get_name(buf)
  local stamp = require("codex-chat.reload.content").stamp
  if not M.is_possible(buf) or stamp(name) ~= content.stamp then
    return false
  end
  local done = write_nothing(buf)
  set(buf, "modified", false)
  if done and bo.undofile then
    api.nvim_buf_call(buf, function()
      pcall(vim.cmd, "silent! wundo! " .. vim.fn.fnameescape(vim.fn.undofile(name)))
    end)
  end
  return done and stamp(name) == content.stamp
end

return M
