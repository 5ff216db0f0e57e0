--- `:checkhealth codex-chat`
-- This may be the first of the plugin that is loaded.
dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/loader.lua")

local M = {}

local health = vim.health

local reporters = { ok = health.ok, info = health.info, warn = health.warn, error = health.error }

--- The host's own checks: engine, runtime, image, model endpoint. Each says what mends it.
---@param argv string[]
---@param root string the project's
local function check_host(argv, root)
  local command = vim.list_extend(vim.list_slice(argv, 1, #argv), { "--health", root })
  local ok, out = pcall(function()
    return vim
      .system(command, {
        stdin = vim.json.encode(require("codex-chat.config").host_settings()),
        -- SECURITY: not in the project; a version manager's `node` looks there for what to start.
        cwd = require("codex-chat.host").dir,
        env = require("codex-chat.programs").env(),
        text = true,
        timeout = 60000,
      })
      :wait()
  end)
  if not ok then
    health.error("The host's checks could not be run: " .. tostring(out))
    return
  end
  local decoded, lines = pcall(vim.json.decode, out.stdout or "", { luanil = { object = true } })
  if not decoded or type(lines) ~= "table" then
    health.error(("The host's checks ended with exit code %d."):format(out.code), {
      vim.trim(out.stderr or ""):sub(-400),
      "See :CodexChat log.",
    })
    return
  end
  local section
  for _, line in ipairs(lines) do
    if line.section ~= section then
      section = line.section
      health.start("codex-chat: " .. tostring(section))
    end
    local advice = line.advice
    local report = reporters[line.level] or health.info
    if advice == nil or advice == "" or report == health.ok or report == health.info then
      report(tostring(line.message))
    else
      report(tostring(line.message), advice)
    end
  end
end

function M.check()
  health.start("codex-chat: Neovim")
  local version = vim.version()
  local text = ("%d.%d.%d"):format(version.major, version.minor, version.patch)
  if vim.fn.has("nvim-0.10.4") == 1 then
    health.ok("Neovim " .. text)
  else
    health.error(("Neovim is %s; 0.10.4 or newer is needed."):format(text))
  end
  local config = require("codex-chat.config")
  local user = vim.g.codex_chat
  local _, problems = config.resolve(user)
  for _, problem in ipairs(problems) do
    health.warn("configuration: " .. problem)
  end
  if #problems == 0 then
    health.ok("The configuration is understood.")
  end

  health.start("codex-chat: host")
  local root = require("codex-chat.project").root(vim.uv.cwd())
  require("codex-chat.outside").add(root)
  local host = require("codex-chat.host")
  local argv, missing = host.command()
  if not argv then
    health.error(missing)
    return
  end
  if not config.get().host_cmd then
    local env = require("codex-chat.programs").env()
    local opts = { text = true, cwd = host.dir, env = env }
    local out = vim.system({ argv[1], "--version" }, opts):wait(10000)
    local found = vim.trim(out.stdout or "")
    if host.node_is_new(found) then
      health.ok("Node " .. found)
    else
      health.error(
        ("Node is %s; 20.19 or newer is needed."):format(found == "" and "not running" or found),
        { "Update Node, or set `node` in the configuration to a newer one." }
      )
      return
    end
  end
  health.info("log: " .. host.log_path())
  check_host(argv, root)
end

return M
