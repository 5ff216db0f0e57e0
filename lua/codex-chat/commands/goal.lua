--- `:CodexChat goal`: the goal that Codex works towards by itself.
local M = {}

local action = require("codex-chat.host.request")

--- Sets a goal, or clears, pauses or resumes the present one.
---@param chat codex-chat.Chat
---@param words string "clear", "pause", "resume", or the goal
function M.set(chat, words)
  if words == "" then
    vim.ui.input({ prompt = "What is the goal? " }, function(goal)
      if vim.trim(goal or "") ~= "" then
        M.set(chat, vim.trim(goal))
      end
    end)
    return
  end
  if words == "clear" then
    action.run(chat, "goal/clear")
  elseif words == "pause" or words == "resume" then
    action.run(chat, "goal/set", { active = words == "resume" })
  else
    action.run(chat, "goal/set", { active = true, objective = words })
  end
end

return M
