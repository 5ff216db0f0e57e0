--- Writes a buffer without Neovim's question, where the user has answered already.
---
--- If Neovim has noticed a change before the user answered (`:checktime`, the focus), it knows the file's
--- time and does not read it again, and yet asks at `:w` whether to overwrite it. So the next `:w` gets its
--- `!`, if the file is still the one that the user has seen.
local M = {}

local api = vim.api

---@type table<integer, integer> autocommands by buffer
local armed = {}

--- Back to normal: Neovim has read or written the file.
---@param buf integer
function M.disarm(buf)
  if armed[buf] then
    pcall(api.nvim_del_autocmd, armed[buf])
    armed[buf] = nil
  end
end

--- Prepares the next `:w`.
---@param buf integer
---@param stamp string the file's, as the user knows it
function M.arm(buf, stamp)
  M.disarm(buf)
  armed[buf] = api.nvim_create_autocmd("BufWriteCmd", {
    buffer = buf,
    nested = true,
    callback = function(event)
      M.disarm(buf)
      local name = api.nvim_buf_get_name(buf)
      local is_known = require("codex-chat.reload.content").stamp(name) == stamp
      local bang = (is_known and event.match == name or vim.v.cmdbang == 1) and "!" or ""
      local command = ("write%s %s %s"):format(bang, vim.v.cmdarg, vim.fn.fnameescape(event.file))
      local ok, err = pcall(vim.cmd, command)
      if not ok then
        M.arm(buf, stamp)
        error(err, 0)
      end
    end,
  })
end

return M
