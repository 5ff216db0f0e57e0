--- Keeps text that is read into a buffer again from doing anything.
---
--- SECURITY: the agent wrote the file, and perhaps an `.editorconfig` and, if the project is on
--- 'runtimepath', ftplugins. Reading a file again obeys its modeline, the `.editorconfig` and, since the
--- filetype is detected again, the ftplugins.
local M = {}

local api = vim.api

--- Ends the protection of the reload that is under way.
---@type fun()?
local restore

--- Begins the protection.
---@param buf integer
function M.begin(buf)
  M.finish()
  local bo, b = vim.bo[buf], vim.b[buf]
  local modeline, filetype, editorconfig = bo.modeline, bo.filetype, b.editorconfig
  local ignored = vim.o.eventignore
  bo.modeline, b.editorconfig = false, false
  vim.opt.eventignore:append("FileType")
  restore = function()
    if api.nvim_buf_is_valid(buf) then
      if bo.filetype ~= filetype then
        bo.filetype = filetype
      end
      bo.modeline, b.editorconfig = modeline, editorconfig
    end
    vim.o.eventignore = ignored
  end
end

--- Whether a reload is under way.
---@return boolean
function M.is_on()
  return restore ~= nil
end

--- Ends the protection: a reload is over, or there was none.
function M.finish()
  local finish = restore
  restore = nil
  if finish then
    finish()
  end
end

return M
