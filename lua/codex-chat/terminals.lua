--- Commands that go on running in the sandbox after their turn.
local M = {}

local action = require("codex-chat.action")

--- Lists them; the one that is picked is stopped, once that is confirmed.
---@param chat codex-chat.Chat
function M.pick(chat)
  action.run(chat, "terminals/list", {}, function(terminals, err)
    if err then
      vim.notify("codex-chat: " .. err, vim.log.levels.ERROR)
      return
    end
    if #terminals == 0 then
      vim.notify("codex-chat: no command runs in the background.")
      return
    end
    vim.ui.select(terminals, {
      prompt = "Stop which command?",
      kind = "codex-chat-terminal",
      format_item = function(it)
        return it.command
      end,
    }, function(picked)
      if picked then
        action.run(chat, "terminals/stop", { id = picked.id }, function(_, why)
          vim.notify(
            why and ("codex-chat: " .. why) or "codex-chat: stopped.",
            why and vim.log.levels.ERROR or vim.log.levels.INFO
          )
        end)
      end
    end)
  end)
end

--- A turn was stopped: asks whether what it left running is to end, where the user wants to be asked.
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
