--- The lualine component `codex_chat`; its options are those of `statusline()`.
local Component = require("lualine.component"):extend()

--- Called by lualine for every redraw.
---@return string
function Component:update_status()
  local chat = package.loaded["codex-chat.registry"]
  -- The plugin is not loaded before it is used.
  if not chat then
    return ""
  end
  return require("codex-chat").statusline({
    parts = self.options.parts,
    prefix = self.options.prefix,
  })
end

return Component
