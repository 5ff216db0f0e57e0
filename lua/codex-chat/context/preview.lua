--- `:CodexChat preview`: what would be sent, with all that goes along, in a window of its own.
local M = {}

--- Shows the prompt, or `text`, with its mentions resolved. Nothing is sent.
---@param chat codex-chat.Chat
---@param text string
function M.show(chat, text)
  if text == "" then
    text = require("codex-chat.prompt").text(chat)
  end
  local parts, err = require("codex-chat.context.resolve").all(text, chat.root)
  if not parts then
    vim.notify("codex-chat: " .. err .. ".", vim.log.levels.ERROR)
    return
  end
  local lines = vim.split(text, "\n", { plain = true })
  for _, part in ipairs(parts) do
    vim.list_extend(lines, { "", ("## %s"):format(part.label), "" })
    local body = part.text
      or part.skill and ("The instructions in `%s`."):format(part.skill.path)
      or ("(a picture of %d kB)"):format(math.ceil(#part.image * 3 / 4 / 1000))
    vim.list_extend(lines, vim.split(body, "\n", { plain = true }))
  end
  require("codex-chat.overview").page(lines)
end

return M
