--- The chat's keys: what each does, in which modes, and the action behind it.
local M = {}

---@class (exact) codex-chat.ChatKey
---@field name string its setting in `keys`
---@field modes string[]
---@field action? string of `<Plug>(codex-chat-…)`
---@field desc string
---@field on_question? boolean whether it is mapped only on the lines of a question

---@class (exact) codex-chat.KeyGroup
---@field title string
---@field keys codex-chat.ChatKey[]

local normal, both = { "n" }, { "n", "x" }
local motion = { "n", "x", "o" }

---@type codex-chat.KeyGroup[]
M.groups = {
  {
    title = "Prompt",
    keys = {
      { name = "send", modes = normal, action = "send", desc = "send the prompt" },
      { name = "send_insert", modes = { "i" }, action = "send", desc = "send the prompt" },
      { name = "stop", modes = normal, action = "stop", desc = "stop the running turn" },
      {
        name = "recall_prev",
        modes = { "i" },
        action = "recall-prev",
        desc = "in an empty prompt: an earlier query",
      },
      {
        name = "recall_next",
        modes = { "i" },
        action = "recall-next",
        desc = "back to a later one",
      },
    },
  },
  {
    title = "Read",
    keys = {
      { name = "next_turn", modes = motion, action = "next-turn", desc = "next query" },
      { name = "prev_turn", modes = motion, action = "prev-turn", desc = "previous query" },
      { name = "outline", modes = normal, action = "outline", desc = "list queries and answers" },
      {
        name = "yank_code",
        modes = normal,
        action = "yank-code",
        desc = "yank the code block under the cursor",
      },
    },
  },
  {
    title = "Files and addresses",
    keys = {
      {
        name = "follow",
        modes = both,
        action = "follow",
        desc = "go to the file or address under the cursor",
      },
      {
        name = "follow_split",
        modes = both,
        action = "follow-split",
        desc = "the same, in a new window",
      },
      {
        name = "follow_tab",
        modes = both,
        action = "follow-tab",
        desc = "the same, in a new tab page",
      },
      {
        name = "open_link",
        modes = normal,
        action = "open-link",
        desc = "the same, also for pictures",
      },
    },
  },
  {
    title = "Codex's questions",
    keys = {
      {
        name = "next_approval",
        modes = normal,
        action = "next-question",
        desc = "next question",
      },
      {
        name = "prev_approval",
        modes = normal,
        action = "prev-question",
        desc = "previous question",
      },
      { name = "accept", modes = normal, desc = "accept once", on_question = true },
      {
        name = "accept_session",
        modes = normal,
        desc = "accept for this chat",
        on_question = true,
      },
      {
        name = "accept_project",
        modes = normal,
        desc = "accept for this project",
        on_question = true,
      },
      { name = "decline", modes = normal, desc = "decline", on_question = true },
      { name = "cancel", modes = normal, desc = "decline, and stop the turn", on_question = true },
    },
  },
  {
    title = "Help",
    keys = {
      { name = "show_keys", modes = normal, action = "show-keys", desc = "show these keys" },
    },
  },
}

--- The keys that the configuration has for a setting.
---@param name string
---@return string[]
function M.of(name)
  local set = require("codex-chat.config").get().keys[name]
  if type(set) == "table" then
    return set
  end
  return set and set ~= "" and { set } or {}
end

---@param a string
---@param b string
---@return boolean whether both are the same key in any spelling
function M.is_same(a, b)
  return vim.keycode(a) == vim.keycode(b)
end

--- Whether the key that sends in normal mode also follows what is under the cursor outside the prompt.
---@param lhs string
---@return boolean
function M.follows_too(lhs)
  return vim.iter(M.of("follow")):any(function(key)
    return M.is_same(key, lhs)
  end)
end

return M
