--- Maps the chat's keys, in its buffer only.
local M = {}

--- Whether the user has mapped the key for the file type; then it stays theirs.
---@param chat codex-chat.Chat
---@param mode string
---@param lhs string
---@return boolean
local function is_taken(chat, mode, lhs)
  local found = vim.api.nvim_buf_call(chat.buf, function()
    return vim.fn.maparg(lhs, mode, false, true)
  end)
  return found.buffer == 1
end

---@param chat codex-chat.Chat
---@param mode string
---@param lhs string|false
---@param rhs string|fun()
---@param desc string
local function map(chat, mode, lhs, rhs, desc)
  if not lhs or lhs == "" then
    return
  end
  if not is_taken(chat, mode, lhs) then
    vim.keymap.set(mode, lhs, rhs, {
      buffer = chat.buf,
      desc = "codex-chat: " .. desc,
      nowait = true,
    })
  end
end

--- Maps `gf` and similar keys: Neovim's own look in the working directory, and show the file in the
--- chat's window.
---@param chat codex-chat.Chat
local function map_files(chat)
  local ways = {
    ["gf"] = "",
    ["gF"] = "",
    ["<C-w>f"] = "split",
    ["<C-w><C-f>"] = "split",
    ["<C-w>F"] = "split",
    ["<C-w>gf"] = "tab",
    ["<C-w>gF"] = "tab",
  }
  for lhs, how in pairs(ways) do
    for _, mode in ipairs({ "n", "x" }) do
      map(chat, mode, lhs, function()
        require("codex-chat.ui.follow").file(chat, how ~= "" and how or nil)
      end, "go to the file under the cursor")
    end
  end
  map(chat, "n", "gx", function()
    require("codex-chat.ui.follow").open(chat)
  end, "open the address, picture or file under the cursor")
end

---@param chat codex-chat.Chat
function M.map(chat)
  local keys = require("codex-chat.config").get().keys
  map(chat, "n", keys.send, "<Plug>(codex-chat-send)", "send the prompt")
  map(chat, "i", keys.send_insert, "<Plug>(codex-chat-send)", "send the prompt")
  map(chat, "n", keys.stop, "<Plug>(codex-chat-stop)", "stop the running turn")
  map_files(chat)
  require("codex-chat.buffer.backspace").map(chat, is_taken)
  for lhs, step in pairs({ [keys.next_approval] = 1, [keys.prev_approval] = -1 }) do
    if lhs and not is_taken(chat, "n", lhs) then
      vim.keymap.set("n", lhs, function()
        require("codex-chat.approval").jump(chat, step)
      end, { buffer = chat.buf, desc = "codex-chat: go to a pending approval" })
    end
  end
end

return M
