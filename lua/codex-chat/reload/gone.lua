--- Says once that the file of a buffer was deleted or renamed. The buffer keeps its text.
---
--- It does not become modified, as it does not by Neovim itself: `:wall` would bring back every file that
--- the agent has deleted. `:w` there writes it again.
local M = {}

local api = vim.api
local calm = require("codex-chat.reload.calm")
local say = require("codex-chat.message")

--- Finds the new names of files. A module above fills this in.
---@type fun(path: string, callback: fun(new_path?: string))
M.find_renamed = function(_, callback)
  callback(nil)
end

---@type table<integer, boolean> buffers without a file; whether the user knows
local gone = {}

---@param path string
---@return string
local function short(path)
  return (vim.fn.fnamemodify(path, ":."):gsub("%c", "?"))
end

---@param buf integer
local function tell(buf)
  if gone[buf] ~= false or not api.nvim_buf_is_loaded(buf) then
    return
  end
  gone[buf] = true
  local path = api.nvim_buf_get_name(buf)
  M.find_renamed(path, function(new_path)
    if not api.nvim_buf_is_loaded(buf) or vim.uv.fs_stat(path) then
      return
    elseif new_path then
      say.info(
        ("%s is %s now; its buffer keeps the old name."):format(short(path), short(new_path))
      )
    else
      say.info(
        ("%s was deleted; its buffer keeps the text, and `:w` there writes it."):format(short(path))
      )
    end
  end)
end

--- Notes that there is no file.
---@param buf integer loaded
function M.note(buf)
  if gone[buf] == nil then
    gone[buf] = false
    calm.run("gone " .. buf, calm.is_idle, function()
      tell(buf)
    end)
  end
end

--- Forgets a buffer: its file is there, or it is unloaded.
---@param buf integer
function M.forget(buf)
  gone[buf] = nil
end

return M
