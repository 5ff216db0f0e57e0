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

return M
