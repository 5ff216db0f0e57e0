--- Maps keys of a buffer for a while, and then restores the user's mappings.
---
--- A permanent mapping that passes the key on is not the same: plugins inspect mappings, longer
--- mappings wait for it, and a plugin that maps the key later would replace it for good.
local M = {}

local api = vim.api

---@class (exact) codex-chat.Borrowed
---@field before? table the buffer's mapping before, from maparg()
---@field callback function ours

---@class (exact) codex-chat.Key
---@field desc string
---@field press fun(): string? keys to execute; nil if the key is to keep its usual meaning

--- The buffer's own mapping of this key in normal mode; the current buffer's.
---@param lhs string
---@return table? mapping from maparg()
local function mapping_of(lhs)
  local found = vim.fn.maparg(lhs, "n", false, true)
  return found.buffer == 1 and found or nil
end

--- Restores one key, unless somebody else has mapped or unmapped it meanwhile.
---@param buf integer the current one
---@param lhs string
---@param borrowed codex-chat.Borrowed
local function restore(buf, lhs, borrowed)
  local now = mapping_of(lhs)
  if not now or now.callback ~= borrowed.callback then
    return
  end
  vim.keymap.del("n", lhs, { buffer = buf })
  local before = borrowed.before
  if before then
    -- Only in normal mode, even if the mapping was for several modes.
    vim.fn.mapset("n", false, before)
  end
end

---@param chat codex-chat.Chat
---@param lhs string
---@param key codex-chat.Key
local function map(chat, lhs, key)
  local all = chat.borrowed
  local now = mapping_of(lhs)
  if all[lhs] and now and now.callback == all[lhs].callback then
    return
  end
  local function callback()
    local keys = key.press()
    if keys then
      return keys
    end
    -- The cursor has left without an event, as within `:normal`. <Ignore> keeps count and register,
    -- and has the key looked up again.
    M.set(chat, {})
    return "<Ignore>" .. lhs
  end
  all[lhs] = { before = now, callback = callback }
  vim.keymap.set("n", lhs, callback, {
    buffer = chat.buf,
    expr = true,
    remap = true,
    nowait = true,
    replace_keycodes = true,
    desc = key.desc,
  })
end

--- Maps exactly these keys in the chat's buffer, and restores all others.
---@param chat codex-chat.Chat
---@param wanted table<string, codex-chat.Key> by key
function M.set(chat, wanted)
  if not chat.borrowed and not next(wanted) then
    return
  elseif not api.nvim_buf_is_loaded(chat.buf) then
    chat.borrowed = nil
    return
  end
  local function change()
    chat.borrowed = chat.borrowed or {}
    for lhs, borrowed in pairs(chat.borrowed) do
      if not wanted[lhs] then
        chat.borrowed[lhs] = nil
        restore(chat.buf, lhs, borrowed)
      end
    end
    for lhs, key in pairs(wanted) do
      map(chat, lhs, key)
    end
    if not next(wanted) then
      chat.borrowed = nil
    end
  end
  if api.nvim_get_current_buf() == chat.buf then
    change()
  else
    api.nvim_buf_call(chat.buf, change)
  end
end

return M
