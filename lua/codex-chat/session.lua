--- Windows of conversations that a session file brings back.
---
--- `:mksession` takes a chat's buffer for one without a file and writes `enew` and `file <name>` for
--- each window. The second of them would be E95, so the name is taken away again at once, and the
--- chat is put into the windows when the session is complete.
local M = {}

local api = vim.api

---@type { win: integer, buf: integer, path: string }[]
local waiting = {}

--- A buffer has got a conversation's name.
---@param buf integer
function M.named(buf)
  if vim.g.SessionLoad ~= 1 or require("codex-chat.registry").get(buf) then
    return
  end
  local path = api.nvim_buf_get_name(buf)
  waiting[#waiting + 1] = { win = api.nvim_get_current_win(), buf = buf, path = path }
  api.nvim_buf_set_name(buf, ("%s#%d"):format(path, #waiting))
  if #waiting > 1 then
    return
  end
  api.nvim_create_autocmd("SessionLoadPost", {
    once = true,
    callback = vim.schedule_wrap(M.finish),
  })
end

--- Shows the conversations in the windows that wait for them.
function M.finish()
  local list = waiting
  waiting = {}
  for _, entry in ipairs(list) do
    if api.nvim_win_is_valid(entry.win) then
      local buf = vim.fn.bufadd(entry.path)
      vim.fn.bufload(buf)
      api.nvim_win_set_buf(entry.win, buf)
    end
    pcall(api.nvim_buf_delete, entry.buf, { force = true })
  end
end

return M
