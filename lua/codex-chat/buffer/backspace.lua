--- Insert mode keys that delete backwards: none of them deletes from the prompt's first column into the
--- heading, or from there into the conversation, and streamed text does not change how far they reach.
---
--- Neovim remembers the row in which insert mode started, where <C-u> and <C-w> stop once. When lines
--- are inserted above, that row is a different line, and the keys would delete older text.
local M = {}

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.buffer.backspace")

--- Where insert mode started, by buffer.
---@type table<integer, { mark: integer, row: integer }>
local began = {}

---@param lhs string
---@return string
local function plug(lhs)
  return ("<Plug>(codex-chat-own-%s)"):format(lhs:match("%a+.*%a") or lhs)
end

--- The key's global mapping (the user's, a plugin's or Neovim's own) under another name; without one,
--- the key.
---@param lhs string
---@return string
function M.global(lhs)
  for _, map in ipairs(api.nvim_get_keymap("i")) do
    if map.lhs:lower() == lhs:lower() then
      map.lhs, map.lhsraw, map.lhsrawalt = plug(lhs), vim.keycode(plug(lhs)), nil
      vim.fn.mapset("i", false, map)
      return plug(lhs)
    end
  end
  api.nvim_set_keymap("i", plug(lhs), lhs, { noremap = true })
  return plug(lhs)
end

--- How many characters the key deletes in this line, if Neovim has lost the place where it stops.
---@param chat codex-chat.Chat
---@param lhs string
---@param row integer
---@param col integer
---@return integer? nil if Neovim knows the place
local function reach(chat, lhs, row, col)
  local began_at = began[chat.buf]
  local pos = began_at and api.nvim_buf_get_extmark_by_id(chat.buf, ns, began_at.mark, {})
  if
    not began_at
    or not pos
    or pos[1] ~= row
    or pos[1] == began_at.row
    or pos[2] >= col
    or pos[2] == 0
  then
    return nil
  end
  local line = api.nvim_get_current_line()
  local typed = line:sub(pos[2] + 1, col)
  if lhs == "<C-w>" then
    typed = vim.fn.matchstr(typed, [[\%(\k\+\|\%(\k\@!\S\)\+\)\?\s*$]])
  end
  return vim.fn.strchars(typed)
end

---@param chat codex-chat.Chat
---@param lhs string
---@return string keys
local function keys_for(chat, lhs)
  local cursor = api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  local prompt = require("codex-chat.buffer.undo").heading(chat.buf)
    or require("codex-chat.buffer.blocks").prompt_row(chat)
  local is_whole = require("codex-chat.buffer.heading").is(
    api.nvim_buf_get_lines(chat.buf, prompt, prompt + 1, false)[1]
  )
  -- Nor from the heading into the conversation, where text that is typed then would stay.
  if col == 0 and (row == prompt or row == prompt + 1 and is_whole) then
    return ""
  end
  local count = (lhs == "<C-u>" or lhs == "<C-w>") and reach(chat, lhs, row, col)
  if count then
    return ("<Plug>(codex-chat-backspace)"):rep(count)
  end
  return M.global(lhs)
end

--- Maps the keys in the chat, except those that somebody else has mapped there.
---@param chat codex-chat.Chat
---@param is_taken fun(chat: codex-chat.Chat, mode: string, lhs: string): boolean whether the user has mapped the key
function M.map(chat, is_taken)
  api.nvim_set_keymap("i", "<Plug>(codex-chat-backspace)", "<BS>", { noremap = true })
  for _, lhs in ipairs({ "<BS>", "<C-h>", "<C-u>", "<C-w>" }) do
    if not is_taken(chat, "i", lhs) then
      -- Not <expr>: Neovim would evaluate it before it inserts the letters typed just before.
      vim.keymap.set("i", lhs, function()
        api.nvim_feedkeys(vim.keycode(keys_for(chat, lhs)), "im", false)
      end, { buffer = chat.buf, desc = "codex-chat: delete back to the prompt's first column" })
    end
  end
end

--- Forgets where it started: the conversation is closed.
---@param buf integer
function M.detach(buf)
  began[buf] = nil
end

--- Remembers where insert mode starts.
---@param chat codex-chat.Chat
function M.begin(chat)
  local cursor = api.nvim_win_get_cursor(0)
  local began_at = began[chat.buf]
  local row = cursor[1] - 1
  local col = math.min(cursor[2], #api.nvim_get_current_line())
  local mark = api.nvim_buf_set_extmark(chat.buf, ns, row, col, {
    id = began_at and began_at.mark or nil,
    right_gravity = false,
  })
  began[chat.buf] = { mark = mark, row = row }
end

return M
