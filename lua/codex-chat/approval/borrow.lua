--- Keys of a buffer that are taken for a while and given back as they were.
---
--- A key that is taken all the time and passes on what it does not want is not the same: plugins look
--- at what is mapped, longer mappings wait for it, and a plugin that maps it later takes it for good.
local M = {}

local api = vim.api

---@class (exact) codex-chat.Borrowed
---@field before? table what was mapped in the buffer, as of maparg()
---@field ours function

---@class (exact) codex-chat.Key
---@field desc string
---@field press fun(): string? keys to do; nil where the key is not wanted after all

--- The buffer's own mapping of this key in normal mode; the current buffer's.
---@param lhs string
---@return table? mapping as of maparg()
local function own(lhs)
  local found = vim.fn.maparg(lhs, "n", false, true)
  return found.buffer == 1 and found or nil
end

--- Gives one key back, unless it was mapped or unmapped by somebody else meanwhile: then that counts.
---@param buf integer the current one
---@param lhs string
---@param borrowed codex-chat.Borrowed
local function give_back(buf, lhs, borrowed)
  local now = own(lhs)
  if not now or now.callback ~= borrowed.ours then
    return
  end
  vim.keymap.del("n", lhs, { buffer = buf })
  local before = borrowed.before
  if before then
    -- Of a mapping for several modes, only the one that was taken.
    vim.fn.mapset("n", false, before)
  end
end

---@param chat codex-chat.Chat
---@param lhs string
---@param key codex-chat.Key
local function take(chat, lhs, key)
  local all = chat.borrowed
  local now = own(lhs)
  if all[lhs] and now and now.callback == all[lhs].ours then
    return
  end
  local function ours()
    local keys = key.press()
    if keys then
      return keys
    end
    -- The cursor has left without an event, as within `:normal`. <Ignore> keeps count and register,
    -- and has the key looked up again.
    M.set(chat, {})
    return "<Ignore>" .. lhs
  end
  all[lhs] = { before = now, ours = ours }
  vim.keymap.set("n", lhs, ours, {
    buffer = chat.buf,
    expr = true,
    remap = true,
    nowait = true,
    replace_keycodes = true,
    desc = key.desc,
  })
end

--- Has exactly these keys of the chat's buffer taken; all others are the user's again.
---@param chat codex-chat.Chat
---@param wanted table<string, codex-chat.Key> by what is pressed
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
        give_back(chat.buf, lhs, borrowed)
      end
    end
    for lhs, key in pairs(wanted) do
      take(chat, lhs, key)
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
