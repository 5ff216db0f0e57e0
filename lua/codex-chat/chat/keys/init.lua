--- Maps the chat's keys, in its buffer only, and runs the actions behind them.
local M = {}

local list = require("codex-chat.chat.keys.list")

--- Whether the user or a plugin has mapped the key for the file type; then it stays theirs.
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

--- What each action does with the conversation of the current buffer.
---@type table<string, fun(chat: codex-chat.Chat, lhs?: string)>
local actions = {
  ["next-turn"] = function(chat)
    require("codex-chat.chat.keys.turns").go(chat, vim.v.count1)
  end,
  ["prev-turn"] = function(chat)
    require("codex-chat.chat.keys.turns").go(chat, -vim.v.count1)
  end,
  outline = function(chat)
    require("codex-chat.chat.keys.turns").outline(chat)
  end,
  ["yank-code"] = function(chat)
    require("codex-chat.chat.keys.yank").code_block(chat)
  end,
  follow = function(chat)
    require("codex-chat.ui.follow").go(chat)
  end,
  ["follow-split"] = function(chat)
    require("codex-chat.ui.follow").go(chat, "split")
  end,
  ["follow-tab"] = function(chat)
    require("codex-chat.ui.follow").go(chat, "tab")
  end,
  ["open-link"] = function(chat)
    require("codex-chat.ui.follow").open(chat)
  end,
  ["recall-prev"] = function(chat, lhs)
    require("codex-chat.chat.keys.recall").go(chat, 1, lhs)
  end,
  ["recall-next"] = function(chat, lhs)
    require("codex-chat.chat.keys.recall").go(chat, -1, lhs)
  end,
  ["next-question"] = function(chat)
    require("codex-chat.approval").jump(chat, 1)
  end,
  ["prev-question"] = function(chat)
    require("codex-chat.approval").jump(chat, -1)
  end,
  ["show-keys"] = function(chat)
    require("codex-chat.chat.keys.help").show(chat)
  end,
}

--- Runs the action of a `<Plug>` mapping, which may stand behind a key of the user's in any buffer.
---@param action string
function M.run(action)
  local chat = require("codex-chat.registry").get(0)
  if chat then
    actions[action](chat)
  else
    require("codex-chat.message").info("this key needs a conversation's buffer.")
  end
end

--- A key in one mode: what it is mapped to.
---@param key codex-chat.ChatKey
---@param mode string
---@param lhs string
---@return string|fun()
local function target(key, mode, lhs)
  if key.name:find("^recall") then
    -- Elsewhere the key does what it does without the plugin.
    return function()
      actions[key.action](assert(require("codex-chat.registry").get(0)), lhs)
    end
  elseif key.name == "send" and mode == "n" and list.follows_too(lhs) then
    return "<Plug>(codex-chat-follow-or-send)"
  end
  return ("<Plug>(codex-chat-%s)"):format(key.action)
end

---@param chat codex-chat.Chat
---@param key codex-chat.ChatKey
---@param mode string
---@param lhs string
local function map(chat, key, mode, lhs)
  -- What sends in normal mode means nothing in a selection.
  local is_sending = key.name == "follow"
    and vim.iter(list.of("send")):any(function(send)
      return list.is_same(send, lhs)
    end)
  if is_sending or is_taken(chat, mode, lhs) then
    return
  end
  vim.keymap.set(mode, lhs, target(key, mode, lhs), {
    buffer = chat.buf,
    desc = "codex-chat: " .. key.desc,
    -- `]]` and the like must not wait for longer keys of other plugins.
    nowait = true,
  })
end

---@param chat codex-chat.Chat
function M.map(chat)
  for _, group in ipairs(list.groups) do
    for _, key in ipairs(group.keys) do
      for _, lhs in ipairs(key.action and list.of(key.name) or {}) do
        for _, mode in ipairs(key.modes) do
          map(chat, key, mode, lhs)
        end
      end
    end
  end
  require("codex-chat.buffer.backspace").map(chat, is_taken)
end

return M
