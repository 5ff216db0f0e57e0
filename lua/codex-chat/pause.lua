--- Keeps machine edits back while the user is in the middle of a command that remembers rows.
---
--- After `d` and before its motion, Neovim holds the row where the operator began, and while a
--- pattern is typed with 'incsearch' the row to return to; neither moves when lines come in above.
--- Nor does the row where insert completion began, from which Neovim 0.12 deletes what was typed.
local M = {}

local api = vim.api

--- What may end such a command.
local ends =
  { "ModeChanged", "CmdlineLeave", "BufLeave", "CompleteDone", "InsertLeave", "CursorMovedI" }

---@param buf integer
---@return boolean
local function is_busy(buf)
  if api.nvim_get_current_buf() ~= buf then
    return false
  end
  local mode = api.nvim_get_mode().mode
  if mode:sub(1, 2) == "no" or mode:match("^[iR][cx]") then
    return true
  end
  if require("codex-chat.context.menus").is_open(buf) then
    return true
  end
  if mode:sub(1, 1) ~= "c" or not vim.o.incsearch then
    return false
  end
  local kind = vim.fn.getcmdtype()
  if kind == ":" then
    -- `:s/`, `:g/` and their like search while they are typed.
    return vim.fn.getcmdline():match("[sgv]%a*!?[^%w%s\"|_'<>,;.$]") ~= nil
  end
  return kind == "/" or kind == "?"
end

---@param chat codex-chat.Chat
local function flush(chat)
  if is_busy(chat.buf) then
    return
  end
  local waiting = chat.delayed
  chat.delayed = {}
  for _, fn in ipairs(waiting) do
    if api.nvim_buf_is_loaded(chat.buf) then
      fn()
    end
  end
end

--- Runs `fn` now, or in order once the user's command is complete.
---@param chat codex-chat.Chat
---@param fn fun()
function M.run(chat, fn)
  if #chat.delayed == 0 and not is_busy(chat.buf) then
    fn()
    return
  end
  chat.delayed[#chat.delayed + 1] = fn
  if #chat.delayed > 1 then
    return
  end
  require("codex-chat.context.menus").watch(chat.buf, function()
    flush(chat)
    return #chat.delayed == 0
  end)
  local id
  id = api.nvim_create_autocmd(ends, {
    group = chat.augroup,
    callback = function()
      vim.schedule(function()
        flush(chat)
        if #chat.delayed == 0 and id then
          pcall(api.nvim_del_autocmd, id)
          id = nil
        end
      end)
    end,
  })
end

return M
