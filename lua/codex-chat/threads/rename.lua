--- Naming a conversation: in its text where it is open here, else the host does it in its file.
local M = {}

local client = require("codex-chat.threads.client")
local file = require("codex-chat.threads.file")
local say = require("codex-chat.message")

--- How many lines are looked at for the end of the front matter.
local head_lines = 200

---@param chat codex-chat.Chat
---@param name string
local function set_name(chat, name)
  require("codex-chat.buffer.defer_edits").run(chat, function()
    local blocks = require("codex-chat.buffer.blocks")
    local last = math.min(head_lines, blocks.prompt_row(chat))
    local head = vim.api.nvim_buf_get_lines(chat.buf, 0, last, false)
    blocks.machine(chat, function()
      for _, change in ipairs(require("codex-chat.format").meta_changes(head, { name = name })) do
        blocks.splice(chat, change.row, change.count, change.lines)
      end
    end)
    if chat.host ~= "attached" then
      require("codex-chat.chat.write").save(chat)
    end
    require("codex-chat.ui.refresh").show(chat)
  end)
end

--- Whether another Neovim has the conversation that is shown here; then after a message.
---@param summary codex-chat.ThreadSummary
---@return boolean
local function is_elsewhere(summary)
  local projects, host = require("codex-chat.project"), require("codex-chat.host")
  local elsewhere = projects.is_locked(summary.path, host.pid())
  if elsewhere then
    say.error(
      ("%s is open in another Neovim, which writes it; rename it there."):format(
        file.short(summary.path)
      )
    )
  end
  return elsewhere
end

--- Gives the conversation a name, and Codex's thread, too.
---@param summary codex-chat.ThreadSummary
---@param name string
function M.rename(summary, name)
  local clean = require("codex-chat.format").clean_name(name)
  if clean == "" then
    say.error("a name needs at least one visible character.")
    return
  end
  local chat = file.chat_of(summary.path)
  if chat and vim.api.nvim_buf_is_loaded(chat.buf) then
    if is_elsewhere(summary) then
      return
    end
    set_name(chat, clean)
  end
  client.change("rename", summary, client.say_answer, clean)
end

--- Asks for a name, with the present one to be edited.
---@param summary codex-chat.ThreadSummary
function M.ask(summary)
  local chat = file.chat_of(summary.path)
  local present = chat and require("codex-chat.buffer.name").of(chat) or summary.name or ""
  vim.ui.input({ prompt = "Name: ", default = present }, function(name)
    if name and name ~= "" then
      M.rename(summary, name)
    end
  end)
end

return M
