--- Finds conversations among the buffers: those that a session has restored, and those that Neovim has
--- read as plain files.
local M = {}

local registry = require("codex-chat.registry")
local restored = require("codex-chat.chat.restored")

local api = vim.api

--- Checks a buffer that was named, read or entered.
---@param event { event: string, buf: integer }
function M.on_buffer(event)
  local buf = event.buf
  if registry.get(buf) or not api.nvim_buf_is_loaded(buf) then
    return
  elseif vim.bo[buf].buftype ~= "" and vim.bo[buf].buftype ~= "acwrite" then
    return
  elseif not restored.may_be(api.nvim_buf_get_name(buf)) then
    return
  end
  if vim.g.SessionLoad ~= 1 then
    restored.attach(buf)
  elseif event.event == "BufFilePost" then
    require("codex-chat.chat.session").named(buf)
  end
end

--- Checks all existing buffers.
function M.all()
  for _, buf in ipairs(api.nvim_list_bufs()) do
    M.on_buffer({ event = "all", buf = buf })
  end
end

--- Follows a change of the configuration: conversations may be in another directory.
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
