--- `:CodexChat approvals`: chooses when Codex asks, for one conversation.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

local meaning = {
  never = "runs everything without asking; the sandbox contains it",
  ["on-request"] = "asks when the model wants your approval",
  untrusted = "asks before every command that is not known to be harmless",
}

---@param chat codex-chat.Chat
---@param policy string
local function set(chat, policy)
  action.run(chat, "approvals/set", { policy = policy }, function(_, err)
    if err then
      say.error(err)
    else
      say.info(("from the next turn on Codex %s."):format(meaning[policy]))
    end
  end)
end

--- `:CodexChat approvals [never|on-request|untrusted]`
---@param chat codex-chat.Chat
---@param word string
function M.choose(chat, word)
  if word ~= "" then
    set(chat, word)
    return
  end
  action.run(chat, "approvals/list", {}, function(policies, err)
    if err then
      say.error(err)
      return
    end
    vim.ui.select(policies.offered, {
      prompt = "Approvals",
      kind = "codex-chat-approvals",
      format_item = function(policy)
        return ("%s %s: %s"):format(
          policy == policies.current and "●" or " ",
          policy,
          meaning[policy]
        )
      end,
    }, function(picked)
      if picked then
        set(chat, picked)
      end
    end)
  end)
end

return M
