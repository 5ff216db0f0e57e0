--- Windows of conversations in a session that is being loaded.
---
--- A session names an empty buffer like the conversation, once for each window. The name is taken away
--- again at once, and the chat is put into the windows when the session is complete.
local M = {}

local api = vim.api

--- Front matter by which a file is a conversation.
local new_head = { "---", "codex-chat: 1", "---" }

---@type { win: integer, buf: integer, path: string }[]
local waiting = {}

--- Renames a buffer that got a conversation's name, until the session is complete.
---@param buf integer
function M.named(buf)
  local path = api.nvim_buf_get_name(buf)
  waiting[#waiting + 1] = { win = api.nvim_get_current_win(), buf = buf, path = path }
  api.nvim_buf_set_name(buf, ("%s#%d"):format(path, #waiting))
  if #waiting > 1 then
    return
  end
  -- A session that fails half-way does not raise SessionLoadPost.
  api.nvim_create_autocmd({ "SessionLoadPost", "SafeState" }, {
    group = api.nvim_create_augroup("codex-chat.session", {}),
    once = true,
    callback = vim.schedule_wrap(M.finish),
  })
end

--- Shows the conversations in their windows, with the cursor in the prompt.
function M.finish()
  local list = waiting
  waiting = {}
  for _, entry in ipairs(list) do
    local lines = require("codex-chat.buffer.document").read(entry.path)
    -- If the file is gone, it was a conversation all the same, and a new one starts there.
    local project = require("codex-chat.chat.restored").project_of(entry.path, lines or new_head)
    if not project then
      -- Another file of the user's in the directory of conversations.
      pcall(api.nvim_buf_set_name, entry.buf, entry.path)
    else
      if api.nvim_win_is_valid(entry.win) then
        local chat = require("codex-chat.chat").load(entry.path, project)
        api.nvim_win_set_buf(entry.win, chat.buf)
        require("codex-chat.prompt").show(chat, entry.win)
      end
      pcall(api.nvim_buf_delete, entry.buf, { force = true })
    end
  end
end

return M
