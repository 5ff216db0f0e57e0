--- The lualine component `codex_chat`; its options are those of `statusline()`.
local Component = require("lualine.component"):extend()

--- Called by lualine for every drawing.
---@return string
function Component:update_status()
  local chat = package.loaded["codex-chat.registry"]
  -- Nothing of the plugin is loaded before it is used.
  if not chat then
    return ""
  end
  return require("codex-chat").statusline({
    parts = self.options.parts,
    prefix = self.options.prefix,
  })
end

return Component
