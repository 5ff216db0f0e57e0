--- The chat's own keys. They are the buffer's, so no key of the user's is taken anywhere else.
local M = {}

--- Whether the user has mapped it for the file type: then it is theirs.
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
---@param name string
---@param desc string
local function map(chat, mode, lhs, name, desc)
  if not lhs or lhs == "" then
    return
  end
  if not is_taken(chat, mode, lhs) then
    vim.keymap.set(mode, lhs, ("<Plug>(codex-chat-%s)"):format(name), {
      buffer = chat.buf,
      desc = "codex-chat: " .. desc,
      nowait = true,
    })
  end
end

---@param chat codex-chat.Chat
function M.map(chat)
  local keys = require("codex-chat.config").get().keys
  map(chat, "n", keys.send, "send", "send the prompt")
  map(chat, "i", keys.send_insert, "send", "send the prompt")
  map(chat, "n", keys.stop, "stop", "stop the running turn")
  vim.keymap.set("n", "gx", function()
    local target = vim.fn.expand("<cfile>")
    local beside = vim.fs.dirname(chat.path) .. "/" .. target
    local is_image = target:match("^images/[%w_-]+%.%l+$")
      and (require("codex-chat.disk.look").lstat(beside) or {}).type == "file"
    local err = require("codex-chat.programs").open(is_image and beside or target)
    if err then
      require("codex-chat.say").error(err)
    end
  end, { buffer = chat.buf, desc = "codex-chat: open the picture or address under the cursor" })
  for lhs, step in pairs({ [keys.next_approval] = 1, [keys.prev_approval] = -1 }) do
    if lhs and not is_taken(chat, "n", lhs) then
      vim.keymap.set("n", lhs, function()
        require("codex-chat.approval").jump(chat, step)
      end, { buffer = chat.buf, desc = "codex-chat: go to a pending approval" })
    end
  end
end

return M
