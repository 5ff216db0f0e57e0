--- `:checkhealth codex-chat`
-- This may be the first module of the plugin to be loaded.
dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/loader.lua")

local M = {}

local health = vim.health

local reporters = { ok = health.ok, info = health.info, warn = health.warn, error = health.error }

--- Reports findings, each section below its heading.
---@param found codex-chat.HealthFinding[]
---@param section? string the one whose heading is there
local function report(found, section)
  for _, finding in ipairs(found) do
    if finding.section ~= section then
      section = finding.section
      health.start("codex-chat: " .. tostring(section))
    end
    local advice = finding.advice
    local tell = reporters[finding.level] or health.info
    if not advice or #advice == 0 or tell == health.ok or tell == health.info then
      tell(tostring(finding.message))
    else
      tell(tostring(finding.message), advice)
    end
  end
end

function M.check()
  local checks = require("codex-chat.host.checks")
  report(checks.neovim())

  health.start("codex-chat: host")
  local root = require("codex-chat.project").root(require("codex-chat.project").cwd())
  require("codex-chat.outside").add(root)
  local found, argv = checks.host()
  report(found, "host")
  health.info("log: " .. require("codex-chat.host").log_path())
  if argv then
    report(checks.run(argv, root) or {}, "host")
  else
    health.info("Engine, image, model and the rest are checked once the host can start.")
  end
end

return M
