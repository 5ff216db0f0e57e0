--- Finds conversations among the buffers: those that a session has restored, and those that Neovim has
--- read as plain files.
local M = {}

local registry = require("codex-chat.registry")
local restored = require("codex-chat.chat.restored")

local api = vim.api

--- A buffer has got a name, was read or is gone to.
---@param event { event: string, buf: integer }
function M.met(event)
  local buf = event.buf
  if registry.get(buf) or not api.nvim_buf_is_loaded(buf) then
    return
  elseif vim.bo[buf].buftype ~= "" and vim.bo[buf].buftype ~= "acwrite" then
    return
  elseif not restored.may_be(api.nvim_buf_get_name(buf)) then
    return
  end
  if vim.g.SessionLoad ~= 1 then
    restored.take(buf)
  elseif event.event == "BufFilePost" then
    require("codex-chat.chat.session").named(buf)
  end
end

--- Takes all buffers that are there already.
function M.all()
  for _, buf in ipairs(api.nvim_list_bufs()) do
    M.met({ event = "all", buf = buf })
  end
end

--- The configuration is known: conversations may lie elsewhere than was taken for granted.
function M.configured()
  api.nvim_create_autocmd("BufReadCmd", {
    group = api.nvim_create_augroup("codex-chat.read.configured", {}),
    pattern = vim.fn.escape(require("codex-chat.config").get().state_dir, "*?[]{},\\ ")
      .. "/projects/*/chats/*.md",
    desc = "codex-chat: read a conversation",
    callback = function(args)
      require("codex-chat.chat.read").read(args.buf)
    end,
  })
  M.all()
end

return M
