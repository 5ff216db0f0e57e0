--- The keys of a review, in its own windows only.
---
--- The working file's buffer is the user's: there the keys exist while the cursor is in the review's
--- window, and a key that the user has mapped in that buffer stays theirs.
local M = {}

local api = vim.api

---@class (exact) codex-chat.ReviewKey
---@field lhs string
---@field action string of `<Plug>(codex-chat-review-…)`
---@field desc string
---@field visual? boolean
---@field own? boolean whether it exists only in buffers of the review itself

-- Normal mode commands that Neovim has no meaning for, apart from `]f` and `[f` (an old name of `gf`) and
-- `q`.
---@type codex-chat.ReviewKey[]
M.keys = {
  { lhs = "gy", action = "accept", desc = "accept (yes)", visual = true },
  { lhs = "gY", action = "accept-file", desc = "accept the file" },
  { lhs = "gb", action = "reject", desc = "put it back", visual = true },
  { lhs = "gB", action = "reject-file", desc = "put the file back" },
  { lhs = "gC", action = "comment", desc = "comment", visual = true },
  { lhs = "gz", action = "undo", desc = "undo the last of these" },
  { lhs = "gS", action = "send", desc = "send the comments" },
  { lhs = "]f", action = "next", desc = "next file" },
  { lhs = "[f", action = "prev", desc = "previous file" },
  { lhs = "q", action = "close", desc = "close the review" },
  { lhs = "g?", action = "help", desc = "show these keys", own = true },
}

---@param action string
---@return string
local function plug(action)
  return ("<Plug>(codex-chat-review-%s)"):format(action)
end

---@param buf integer
---@param mode string
---@param lhs string
---@return boolean
local function is_taken(buf, mode, lhs)
  return api.nvim_buf_call(buf, function()
    return vim.fn.maparg(lhs, mode, false, true).buffer == 1
  end)
end

--- The user's own key for an action, in all buffers; nil if there is none.
---@param action string
---@param mode string
---@return string?
local function own_key(action, mode)
  for _, map in ipairs(api.nvim_get_keymap(mode)) do
    if map.rhs == plug(action) then
      return map.lhs
    end
  end
end

---@type table<integer, { [1]: string, [2]: string }[]> what is mapped, by buffer
local mapped = {}

--- Maps the keys in a buffer. A user who has mapped an action has chosen another key for it.
---@param buf integer
---@param is_own boolean whether the buffer is the review's
---@param only? table<string, any> the actions, by name; all by default
function M.map(buf, is_own, only)
  if mapped[buf] then
    return
  end
  mapped[buf] = {}
  for _, key in ipairs(M.keys) do
    for _, mode in ipairs(key.visual and { "n", "x" } or { "n" }) do
      if
        (is_own or not key.own)
        and (not only or only[key.action])
        and not own_key(key.action, mode)
        and not is_taken(buf, mode, key.lhs)
      then
        vim.keymap.set(mode, key.lhs, plug(key.action), {
          buffer = buf,
          remap = true,
          nowait = true,
          desc = "codex-chat: " .. key.desc,
        })
        table.insert(mapped[buf], { mode, key.lhs })
      end
    end
  end
end

--- Removes the keys from a buffer, but none that has been mapped otherwise meanwhile.
---@param buf integer
function M.unmap(buf)
  local list = mapped[buf]
  mapped[buf] = nil
  if not list or not api.nvim_buf_is_valid(buf) then
    return
  end
  for _, key in ipairs(list) do
    local found = api.nvim_buf_call(buf, function()
      return vim.fn.maparg(key[2], key[1], false, true)
    end)
    if found.buffer == 1 and (found.rhs or ""):find("(codex-chat-review-", 1, true) then
      pcall(vim.keymap.del, key[1], key[2], { buffer = buf })
    end
  end
end

--- The key of an action, for texts.
---@param action string
---@return string
function M.of(action)
  for _, key in ipairs(M.keys) do
    if key.action == action then
      return own_key(action, "n") or key.lhs
    end
  end
  return ""
end

--- The columns from which on the window of a file shows the keys beside the file's name.
local wide = 60

--- Whether the window of the working file has room for the keys in its winbar.
---@param win integer
---@return boolean
function M.has_room(win)
  return api.nvim_win_is_valid(win) and api.nvim_win_get_width(win) >= wide
end

--- The keys that are needed first, as many as fit.
---@param columns integer
---@return string
function M.hint(columns)
  local found = ""
  for _, key in ipairs({ { "accept", "accept" }, { "reject", "back" }, { "comment", "comment" } }) do
    local more = ("%s%s%s %s"):format(found, found == "" and "" or "  ", M.of(key[1]), key[2])
    if api.nvim_strwidth(more) > columns then
      break
    end
    found = more
  end
  return (found:gsub("%%", "%%%%"))
end

--- The keys as lines, with those that the user has mapped instead.
---@return string[]
function M.lines()
  local lines = {}
  for _, key in ipairs(M.keys) do
    local lhs = own_key(key.action, "n") or key.lhs
    lines[#lines + 1] = ("    %-12s %s"):format(lhs, key.desc)
  end
  vim.list_extend(lines, {
    "    <CR>         open the file, or the line in it",
    "    ]c [c do dp  as in every diff",
  })
  return lines
end

return M
