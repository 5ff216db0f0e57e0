--- `:CodexChat prompt`: sends a prompt template.
local M = {}

local say = require("codex-chat.message")
local templates = require("codex-chat.prompt.templates")

--- `:[range]CodexChat prompt {name} [input]`
---@param args vim.api.keyset.create_user_command.command_args
---@param rest string
function M.run(args, rest)
  local name, input = rest:match("^(%S+)%s*(.*)$")
  if not name then
    local describe = function(template)
      local description = templates.description(template)
      return description == "prompt" and template or ("%s: %s"):format(template, description)
    end
    vim.ui.select(templates.names(), { prompt = "Prompt", format_item = describe }, function(chosen)
      if chosen then
        M.run(args, chosen)
      end
    end)
    return
  end
  local template = templates.get(name)
  if not template then
    say.error(
      ("there is no prompt %s; use one of %s."):format(name, table.concat(templates.names(), ", "))
    )
    return
  end
  if args.range > 0 then
    local text, err = templates.fill(template, {
      input = input,
      selection = "the code above",
      file = "@buffer",
      diagnostics = "@diagnostics",
      filetype = vim.bo.filetype,
    })
    if text then
      require("codex-chat.commands.query.selection").send_range(args.line1, args.line2, text)
    else
      say.error(("nothing was sent. %s."):format(err))
    end
    return
  end
  local projects = require("codex-chat.project")
  local chat = projects.current_chat() or require("codex-chat.chat").latest(projects.of_buf())
  templates.send(chat, template, input)
end

return M
