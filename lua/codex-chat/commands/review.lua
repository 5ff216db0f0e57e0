--- `:CodexChat review`: starts a review, and puts its findings into the quickfix list.
local M = {}

local say = require("codex-chat.message")

local targets = { "uncommitted", "base", "commit", "custom" }

--- `:CodexChat review [uncommitted | base <branch> | commit <sha> | <instructions>]`
---@param chat codex-chat.Chat
---@param words string
function M.start(chat, words)
  local target, argument = words:match("^(%S+)%s*(.*)$")
  if not target then
    target, argument = "uncommitted", ""
  elseif not vim.list_contains(targets, target) then
    target, argument = "custom", words
  end
  require("codex-chat.host.request").run(
    chat,
    "thread/review",
    { target = target, argument = argument }
  )
end

--- Puts findings into a new quickfix list, and reports how many.
--- SECURITY: paths and texts are the model's; they become list entries only.
---@param findings codex-chat.Finding[]
function M.findings(findings)
  local items = vim.tbl_map(function(finding)
    return {
      filename = finding.path,
      lnum = finding.line,
      end_lnum = finding.last,
      text = finding.title,
      type = finding.title:match("^%[P[01]%]") and "E" or "W",
    }
  end, findings)
  vim.fn.setqflist({}, " ", { title = "Codex's review", items = items })
  if #items == 0 then
    say.info("the review found nothing to change.")
    return
  end
  say.info(
    ("%d finding%s in the quickfix list (:copen)."):format(#items, #items == 1 and "" or "s")
  )
end

return M
