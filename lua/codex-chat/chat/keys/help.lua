--- The page with the keys of a conversation: those that are mapped, with what each does.
local M = {}

local list = require("codex-chat.chat.keys.list")

local api = vim.api

--- Keys of the chat that no setting changes.
local fixed = {
  { "u  <C-r>  U", "undo and redo what you typed" },
  { "1 … 9", "pick an option of a question", pick = true },
  { "zo  zc", "open and close a fold" },
}

--- Whether the plugin's mapping is the one that a key has.
---@param buf integer
---@param mode string
---@param lhs string
---@return boolean
local function is_ours(buf, mode, lhs)
  local found = api.nvim_buf_call(buf, function()
    return vim.fn.maparg(lhs, mode, false, true)
  end)
  return found.buffer == 1 and vim.startswith(found.desc or "", "codex-chat: ")
end

---@param lhs string
---@param desc string
---@return string
local function line(lhs, desc)
  return ("    %-28s %s"):format(lhs, desc)
end

--- The line of a setting; nil if none of its keys is mapped.
---@param buf integer
---@param key codex-chat.ChatKey
---@return string?
local function line_of(buf, key)
  local mapped = vim.tbl_filter(function(lhs)
    return key.on_question or is_ours(buf, key.modes[1], lhs)
  end, list.of(key.name))
  if #mapped == 0 then
    return nil
  end
  local where = key.on_question and ", on the question"
    or key.modes[1] == "i" and " (insert mode)"
    or ""
  return line(table.concat(mapped, "  "), key.desc .. where)
end

--- The user's own keys for the plugin's actions, in all buffers.
---@return string[]
local function own_keys()
  local lines = {}
  for _, mode in ipairs({ "n", "x", "i" }) do
    for _, map in ipairs(api.nvim_get_keymap(mode)) do
      local action = (map.rhs or ""):match("^<Plug>%(codex%-chat%-(.+)%)$")
      if action and not vim.startswith(map.lhs, "<Plug>") then
        local text = line(map.lhs, action:gsub("-", " "))
        if not vim.list_contains(lines, text) then
          lines[#lines + 1] = text
        end
      end
    end
  end
  table.sort(lines)
  return lines
end

---@param chat codex-chat.Chat
---@return string[]
local function lines_of(chat)
  local lines = {}
  local function add(title, found)
    if #found > 0 then
      vim.list_extend(lines, #lines > 0 and { "", "## " .. title, "" } or { "## " .. title, "" })
      vim.list_extend(lines, found)
    end
  end
  for _, group in ipairs(list.groups) do
    local found = {}
    for _, key in ipairs(group.keys) do
      found[#found + 1] = line_of(chat.buf, key)
    end
    add(group.title, found)
  end
  local pick = require("codex-chat.config").get().keys.pick
  local more = {}
  for _, key in ipairs(fixed) do
    if pick or not key.pick then
      more[#more + 1] = line(key[1], key[2])
    end
  end
  add("More", more)
  add("Your own, everywhere", own_keys())
  return vim.list_extend(lines, { "", "`q` closes this page, `/help` lists the commands." })
end

--- Shows the page.
---@param chat codex-chat.Chat
function M.show(chat)
  require("codex-chat.ui.page").show(lines_of(chat), "keys")
end

return M
