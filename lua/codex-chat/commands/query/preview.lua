--- `:CodexChat preview`: shows what would be sent, with its context, on a page.
local M = {}

local say = require("codex-chat.message")

---@param text string
---@param parts codex-chat.ContextPart[]
local function show(text, parts)
  local lines = vim.split(text, "\n", { plain = true })
  for _, part in ipairs(parts) do
    vim.list_extend(lines, { "", ("## %s"):format(part.label), "" })
    local body = part.text
      or part.skill and ("The instructions in `%s`."):format(part.skill.path)
      or ("(a picture of %d kB)"):format(math.ceil(#part.image * 3 / 4 / 1000))
    vim.list_extend(lines, vim.split(body, "\n", { plain = true }))
  end
  require("codex-chat.ui.page").show(lines, "preview")
end

--- Shows the prompt, or `text`, with its mentions resolved. Nothing is sent. The editor is free while
--- programs run, and the page does not interrupt other work.
---@param chat codex-chat.Chat
---@param text string
function M.show(chat, text)
  if text == "" then
    text = require("codex-chat.prompt").text(chat)
  end
  local resolver = require("codex-chat.context.resolve")
  local win, mode = vim.api.nvim_get_current_win(), vim.api.nvim_get_mode().mode
  require("codex-chat.async").async(function()
    return resolver.all(text, chat.root)
  end, function(parts, err)
    if not parts then
      say.error(err .. ".")
    elseif vim.api.nvim_get_current_win() == win and vim.api.nvim_get_mode().mode == mode then
      show(text, parts)
    else
      say.info("the preview is ready, but you have left the conversation. Ask for it again.")
    end
  end)
end

return M
