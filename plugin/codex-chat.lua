-- Commands and mappings; nothing is loaded until one of them is used.
if vim.g.loaded_codex_chat then
  return
end
vim.g.loaded_codex_chat = true

if vim.fn.has("nvim-0.10.4") == 0 then
  vim.api.nvim_create_user_command("CodexChat", function()
    local v = vim.version()
    vim.notify(
      ("codex-chat needs Neovim 0.10.4 or newer; this is %d.%d.%d. Update Neovim and try again."):format(
        v.major,
        v.minor,
        v.patch
      ),
      vim.log.levels.ERROR
    )
  end, { nargs = "*", range = true })
  return
end

vim.api.nvim_create_user_command("CodexChat", function(args)
  require("codex-chat.command").run(args)
end, {
  nargs = "*",
  range = true,
  bang = true,
  bar = false,
  desc = "Chat with Codex; see :help :CodexChat",
  complete = function(lead, line, pos)
    return require("codex-chat.command").complete(lead, line, pos)
  end,
})

local function plug(name, action, modes)
  vim.keymap.set(modes or "n", ("<Plug>(codex-chat-%s)"):format(name), function()
    require("codex-chat.command").plug(action)
  end, { desc = "codex-chat: " .. name })
end

plug("open", "open")
plug("toggle", "toggle")
plug("new", "new")
plug("send", "send", { "n", "i", "x" })
plug("queue", "queue", { "n", "i" })
plug("stop", "stop", { "n", "i" })
plug("accept", "accept")
plug("accept-session", "accept-session")
plug("accept-project", "accept-project")
plug("answer", "answer")
plug("decline", "decline")
plug("cancel", "cancel")
plug("retry", "retry")
plug("fork", "fork")
plug("revert", "revert")
plug("compact", "compact")
plug("review", "review")
plug("model", "model")
plug("login", "login")
plug("logout", "logout")
plug("plan", "plan")
plug("terminals", "terminals")
plug("threads", "threads")
plug("diagnostics", "diagnostics")
plug("preview", "preview")
vim.keymap.set("n", "<Plug>(codex-chat-send-buffer)", "<Cmd>%CodexChat send<CR>", {
  desc = "codex-chat: put the whole buffer into the prompt",
})

-- A conversation that a session file or `:edit` names is read by us: so no modeline in the model's
-- words is ever obeyed, and the buffer is a chat at once.
local user = type(vim.g.codex_chat) == "table" and vim.g.codex_chat or {}
local state_dir = type(user.state_dir) == "string" and user.state_dir
  or vim.fn.stdpath("state") .. "/codex-chat"
local group = vim.api.nvim_create_augroup("codex-chat.read", {})
local pattern = vim.fn.escape(vim.fn.fnamemodify(state_dir, ":p"):gsub("/$", ""), "*?[]{},\\ ")
  .. "/projects/*/chats/*.md"
vim.api.nvim_create_autocmd("BufReadCmd", {
  group = group,
  pattern = pattern,
  desc = "codex-chat: read a conversation",
  callback = function(args)
    require("codex-chat.buffer").read(args.buf)
  end,
})
vim.api.nvim_create_autocmd("BufFilePost", {
  group = group,
  pattern = pattern,
  desc = "codex-chat: find the windows of conversations in a session",
  callback = function(args)
    require("codex-chat.session").named(args.buf)
  end,
})
