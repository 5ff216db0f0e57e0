-- The whole configuration of the Neovim that `npm run try` opens: the plugin and its settings, which
-- arrive as JSON in the environment so that nothing is spliced into code.
local given = vim.json.decode(vim.env.CODEX_CHAT_TRY)
vim.env.CODEX_CHAT_TRY = nil
vim.opt.runtimepath:prepend(given.plugin)
vim.g.codex_chat = given.config
vim.o.termguicolors = given.truecolor

vim.api.nvim_create_autocmd("VimEnter", {
  once = true,
  callback = function()
    if not given.interactive then
      return
    end
    vim.schedule(function()
      -- Something of the project beside the chat, as there would be in the middle of work.
      for _, name in ipairs({ "README.md", "README", "readme.md" }) do
        if vim.api.nvim_buf_get_name(0) == "" and vim.uv.fs_stat(name) then
          vim.cmd.edit(name)
        end
      end
      vim.cmd("CodexChat")
      for n, question in ipairs(given.questions) do
        require("codex-chat").ask(question, { mode = n == 1 and "steer" or "queue" })
      end
    end)
  end,
})
