--- Puts a part of a buffer into the prompt, or sends it with a question.
local M = {}

local chats = require("codex-chat.chat")
local config = require("codex-chat.config")
local prompt = require("codex-chat.prompt")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local selection = require("codex-chat.context.selection")

local api = vim.api

---@param s codex-chat.Selection
---@param question string
local function send(s, question)
  local project = require("codex-chat.project").of_buf(s.buf)
  local chat = chats.latest(project)
  local quoted = selection.quote(s, chat.root)
  if question ~= "" then
    -- The user stays where they are.
    prompt.send_lines(chat, vim.list_extend(quoted, { "", question }))
    return
  end
  vim.list_extend(quoted, { "", "" })
  chats.show(chat, { insert = false })
  prompt.add(chat, quoted)
  prompt.enter(chat, api.nvim_get_current_win())
  if config.get().window.startinsert then
    vim.cmd("startinsert!")
  end
end

--- `:{range}CodexChat send [question]`. A range that equals the last selection means that selection.
---@param line1 integer
---@param line2 integer
---@param question string
function M.send_range(line1, line2, question)
  if registry.get(0) then
    say.info("text in the chat is already part of the conversation.")
    return
  end
  local from, to = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  local kind = vim.fn.visualmode()
  if kind ~= "" and kind ~= "V" and from[2] == line1 and to[2] == line2 then
    send(selection.between(from, to, kind), question)
    return
  end
  send({
    buf = api.nvim_get_current_buf(),
    kind = "V",
    first = line1,
    last = line2,
    first_col = 1,
    last_col = 1,
    lines = api.nvim_buf_get_lines(0, line1 - 1, line2, false),
  }, question)
end

--- The `<Plug>` mapping in visual mode.
function M.send_visual()
  local s = selection.between(vim.fn.getpos("v"), vim.fn.getpos("."), vim.fn.mode())
  vim.cmd("normal! \27")
  if registry.get(0) then
    return
  end
  send(s, "")
end

return M
