--- `:checkhealth codex-chat`
-- This may be the first module of the plugin to be loaded.
dofile(debug.getinfo(1, "S").source:match("^@(.*)/") .. "/loader.lua")

local M = {}

local health = vim.health

local reporters = { ok = health.ok, info = health.info, warn = health.warn, error = health.error }

--- Reports the host's own checks: engine, runtime, image, model endpoint, each with its fix.
---@param argv string[]
---@param root string the project's
local function check_host(argv, root)
  local command = vim.list_extend(vim.list_slice(argv, 1, #argv), { "--health", root })
  local ok, out = pcall(function()
    return vim
      .system(command, {
        stdin = vim.json.encode(require("codex-chat.config").host_settings()),
        -- SECURITY: not in the project, where a version manager's `node` looks for the program to
        -- start.
        cwd = require("codex-chat.host.command").dir,
        env = require("codex-chat.outside.programs").env(),
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

--- Reports mistakes in the configuration.
local function check_config()
  local _, problems, grave = require("codex-chat.config").check()
  for _, problem in ipairs(problems) do
    if vim.list_contains(grave, problem) then
      health.error("configuration: " .. problem, {
        "Fix it and restart Neovim; nothing is sent until then. See :help codex-chat-config",
      })
    else
      health.warn("configuration: " .. problem, { "See :help codex-chat-config" })
    end
  end
  if #problems == 0 then
    health.ok("The configuration is valid.")
  end
end

--- Reports whether `:help codex-chat` works.
local function check_help()
  local doc = require("codex-chat.host.command").dir .. "/doc"
  if vim.uv.fs_stat(doc .. "/tags") then
    health.ok("The help has tags.")
  else
    health.warn(
      ("The help has no tags, so `:help codex-chat` finds nothing: %s/tags is missing."):format(doc),
      {
        ":helptags " .. vim.fn.fnameescape(doc),
      }
    )
  end
end

--- Reports where the files that completion offers come from.
local function check_listing()
  local programs = require("codex-chat.outside.programs")
  if not programs.find("git") and not programs.find("rg") then
    health.warn(
      "Neither git nor ripgrep was found, so completion offers ignored files as well.",
      { "Install git or ripgrep outside of every project." }
    )
  end
end

--- Reports whether the host runs on this Node.
---@param node string
---@return boolean
local function check_node(node)
  local command = require("codex-chat.host.command")
  local env = require("codex-chat.outside.programs").env()
  local opts = { text = true, cwd = command.dir, env = env }
  local ran, out = pcall(function()
    return vim.system({ node, "--version" }, opts):wait(10000)
  end)
  local found = ran and vim.trim(out.stdout or "") or ""
  if command.node_is_new(found) then
    health.ok("Node " .. found)
    return true
  end
  health.error(
    ("%s is %s; %s or newer is needed."):format(
      node,
      found == "" and "not running" or "Node " .. found,
      command.oldest_node
    ),
    {
      "Debian 13: sudo apt-get install nodejs",
      "Without root: npm install --prefix ~/.local/node node@22\n"
        .. 'and in init.lua: vim.g.codex_chat = { node = "~/.local/node/node_modules/node/bin/node" }',
      ":help codex-chat-node",
    }
  )
  return false
end

function M.check()
  health.start("codex-chat: Neovim")
  local version = vim.version()
  local text = ("%d.%d.%d"):format(version.major, version.minor, version.patch)
  if vim.fn.has("nvim-0.10.4") == 1 then
    health.ok("Neovim " .. text)
  else
    health.error(("Neovim is %s; 0.10.4 or newer is needed."):format(text), { "Update Neovim." })
  end
  check_config()
  check_help()
  check_listing()

  health.start("codex-chat: host")
  local root = require("codex-chat.project").root(require("codex-chat.project").cwd())
  require("codex-chat.outside").add(root)
  local config = require("codex-chat.config").get()
  local argv, _, missing = require("codex-chat.host.command").find()
  for _, problem in ipairs(missing or {}) do
    -- The first sentence names what is missing, the others the fix.
    local what, fix = problem:match("^(.-%.) (%u[^.]* .*)$")
    health.error(what or problem, fix and { fix } or nil)
  end
  local node = require("codex-chat.outside.programs").find(config.node)
  local is_new = config.host_cmd ~= nil or (node ~= nil and check_node(node))
  health.info("log: " .. require("codex-chat.host").log_path())
  if argv and is_new then
    check_host(argv, root)
  else
    health.info("Engine, image, model and the rest are checked once the host can start.")
  end
end

return M
