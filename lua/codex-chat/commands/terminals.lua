--- `:CodexChat terminals`: commands that are still running in the sandbox after their turn.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

--- Goes to the command in the conversation, and opens the fold of its output.
---@param chat codex-chat.Chat
---@param block string
local function show(chat, block)
  require("codex-chat.chat").show(chat, { insert = false })
  local first, stop = require("codex-chat.buffer.blocks").range(chat, block)
  if not first or not stop then
    return
  end
  vim.cmd.stopinsert()
  vim.cmd("normal! m'")
  vim.api.nvim_win_set_cursor(0, { first + 1, 0 })
  -- The output, if there is any, is the block below.
  if stop < vim.api.nvim_buf_line_count(0) and vim.fn.foldclosed(stop + 1) > 0 then
    vim.cmd(("silent! %dfoldopen"):format(stop + 1))
  end
end

---@param chat codex-chat.Chat
---@param terminal codex-chat.Terminal
local function stop(chat, terminal)
  action.run(chat, "terminals/stop", { id = terminal.id }, function(_, why)
    if why then
      say.error(why)
    else
      say.info("stopped.")
    end
  end)
end

--- Asks what to do with a running command.
---@param chat codex-chat.Chat
---@param terminal codex-chat.Terminal
local function choose(chat, terminal)
  local choices = terminal.block and { "Show its output", "Stop it" } or { "Stop it" }
  vim.ui.select(choices, {
    prompt = terminal.command:gsub("%c", " "),
    kind = "codex-chat-terminal",
  }, function(choice)
    if choice == "Stop it" then
      stop(chat, terminal)
    elseif choice and terminal.block then
      show(chat, terminal.block)
    end
  end)
end

--- Lists the commands; the picked one is shown or stopped.
---@param chat codex-chat.Chat
function M.pick(chat)
  action.run(chat, "terminals/list", {}, function(terminals, err)
    if err then
      say.error(err)
      return
    end
    if #terminals == 0 then
      say.info("no command runs in the background.")
      return
    end
    vim.ui.select(terminals, {
      prompt = "Commands that still run",
      kind = "codex-chat-terminal",
      format_item = function(terminal)
        return (terminal.command:gsub("%c", " "))
      end,
    }, function(picked)
      if picked then
        choose(chat, picked)
      end
    end)
  end)
end

--- After a turn was stopped: asks whether to stop its commands, if the user wants to be asked.
---@param chat codex-chat.Chat
function M.after_stop(chat)
  if require("codex-chat.config").get().stop_commands ~= "ask" then
    return
  end
  action.run(chat, "terminals/list", {}, function(terminals, err)
    if err or #terminals == 0 then
      return
    end
    local what = #terminals == 1 and terminals[1].command or (#terminals .. " commands")
    vim.ui.select({ "Stop it", "Leave it running" }, {
      prompt = ("Still running: %s"):format((what:gsub("%c", " "))),
      kind = "codex-chat-terminal",
    }, function(choice)
      if choice == "Stop it" then
        action.run(chat, "terminals/clean")
      end
    end)
  end)
end

return M
