--- `:CodexChat network`: shows which hosts the sandbox may reach, and revokes them.
local M = {}

local say = require("codex-chat.message")

--- The entries that can be revoked, from the last listing; for completion.
---@type string[]
local known = {}

local groups = {
  { key = "config", title = "by the configuration (network.allow)" },
  { key = "project", title = "in this project" },
  { key = "conversation", title = "in this conversation" },
}

---@param allowed codex-chat.AllowedHosts
local function remember(allowed)
  known = vim.list_extend(vim.list_slice(allowed.project), allowed.conversation)
end

--- The allowed hosts in one line; empty if there are none.
---@param allowed codex-chat.AllowedHosts
---@return string
function M.summary(allowed)
  local parts = {}
  for _, group in ipairs(groups) do
    if #allowed[group.key] > 0 then
      parts[#parts + 1] = ("%s %s"):format(table.concat(allowed[group.key], ", "), group.title)
    end
  end
  return table.concat(parts, "; ")
end

---@param allowed codex-chat.AllowedHosts
---@return string[]
local function lines_of(allowed)
  local lines = { "# What the sandbox may reach", "", "The model's endpoint, and:", "" }
  for _, group in ipairs(groups) do
    for _, entry in ipairs(allowed[group.key]) do
      lines[#lines + 1] = ("- `%s` %s"):format(entry, group.title)
    end
  end
  if #lines == 4 then
    lines[#lines + 1] = "- nothing"
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = allowed.ask and "You are asked about other hosts while a turn runs."
    or "Other hosts are refused without asking (`network.ask`)."
  if #known > 0 then
    lines[#lines + 1] = "`:CodexChat network forget {host}` takes back what you allowed."
  end
  return lines
end

--- Words that `:CodexChat network` completes.
---@return string[]
function M.entries()
  return vim.list_extend({ "forget" }, known)
end

--- `:CodexChat network` and `:CodexChat network forget {host}`.
---@param chat codex-chat.Chat
---@param rest string
function M.run(chat, rest)
  local action = require("codex-chat.host.request")
  local entry = rest:match("^forget%s+(%S+)$")
  if entry then
    action.run(chat, "network/forget", { entry = entry }, function(_, err)
      if err then
        say.error(err)
      else
        say.info(("%s is no longer allowed."):format(entry))
      end
    end)
  elseif rest ~= "" then
    say.error("use `:CodexChat network` or `:CodexChat network forget {host}`.")
  else
    action.run(chat, "network/list", {}, function(allowed, err)
      if err then
        say.error(err)
        return
      end
      remember(allowed)
      require("codex-chat.ui.page").show(lines_of(allowed), "network")
    end)
  end
end

return M
