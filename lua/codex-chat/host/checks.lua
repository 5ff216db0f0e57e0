--- The checks of `:checkhealth codex-chat` and `:CodexChat setup`: what a conversation needs, and how to
--- get it.
local M = {}

---@class (exact) codex-chat.HealthFinding
---@field section string
---@field level "ok"|"info"|"warn"|"error"
---@field message string
---@field advice? string[] commands and sentences
---@field step? "engine"|"gvisor"|"image" the part of the sandbox that it is about

---@param section string
---@param level "ok"|"info"|"warn"|"error"
---@param message string
---@param advice? string[]
---@return codex-chat.HealthFinding
local function finding(section, level, message, advice)
  return { section = section, level = level, message = message, advice = advice }
end

--- Mistakes in the configuration.
---@return codex-chat.HealthFinding[]
local function config()
  local found = {}
  local _, problems, grave = require("codex-chat.config").check()
  for _, problem in ipairs(problems) do
    local text = "configuration: " .. problem
    local where = "See :help codex-chat-config"
    found[#found + 1] = vim.list_contains(grave, problem)
        and finding("Neovim", "error", text, { "Nothing is sent until it is fixed. " .. where })
      or finding("Neovim", "warn", text, { where })
  end
  if #problems == 0 then
    found[1] = finding("Neovim", "ok", "The configuration is valid.")
  end
  return found
end

--- Whether `:help codex-chat` works.
---@return codex-chat.HealthFinding
local function help()
  local doc = require("codex-chat.host.command").dir .. "/doc"
  if vim.uv.fs_stat(doc .. "/tags") then
    return finding("Neovim", "ok", "The help has tags.")
  end
  local text = "The help has no tags, so `:help codex-chat` finds nothing: %s/tags is missing."
  return finding("Neovim", "warn", text:format(doc), { ":helptags " .. vim.fn.fnameescape(doc) })
end

--- Neovim itself, the configuration, the help, and where the files that completion offers come from.
---@return codex-chat.HealthFinding[]
function M.neovim()
  local version = vim.version()
  local text = ("%d.%d.%d"):format(version.major, version.minor, version.patch)
  local found = {
    vim.fn.has("nvim-0.10.4") == 1 and finding("Neovim", "ok", "Neovim " .. text) or finding(
      "Neovim",
      "error",
      ("Neovim is %s; 0.10.4 or newer is needed."):format(text),
      { "Update Neovim." }
    ),
  }
  vim.list_extend(found, config())
  found[#found + 1] = help()
  local programs = require("codex-chat.outside.programs")
  if not programs.find("git") and not programs.find("rg") then
    found[#found + 1] = finding(
      "Neovim",
      "warn",
      "Neither git nor ripgrep was found, so completion offers ignored files as well.",
      { "Install git or ripgrep outside of every project." }
    )
  end
  return found
end

--- Whether the host runs on this Node.
---@param node string
---@return codex-chat.HealthFinding
local function node_version(node)
  local command = require("codex-chat.host.command")
  local env = require("codex-chat.outside.programs").env()
  local opts = { text = true, cwd = command.dir, env = env }
  local ran, out = pcall(function()
    return vim.system({ node, "--version" }, opts):wait(10000)
  end)
  local version = ran and vim.trim(out.stdout or "") or ""
  if command.node_is_new(version) then
    return finding("host", "ok", "Node " .. version)
  end
  local is = version == "" and "not running" or "Node " .. version
  return finding(
    "host",
    "error",
    ("%s is %s; %s or newer is needed."):format(node, is, command.oldest_node),
    {
      "Debian 13: sudo apt-get install nodejs",
      "Without root: npm install --prefix ~/.local/node node@22\n"
        .. 'and in init.lua: vim.g.codex_chat = { node = "~/.local/node/node_modules/node/bin/node" }',
      ":help codex-chat-node",
    }
  )
end

--- Node and the host's program.
---@return codex-chat.HealthFinding[]
---@return string[]? argv the host's command; nil if it cannot start
function M.host()
  local found = {}
  local argv, _, missing = require("codex-chat.host.command").find()
  for _, problem in ipairs(missing or {}) do
    -- The first sentence names what is missing, the others the fix.
    local what, fix = problem:match("^(.-%.) (%u[^.]* .*)$")
    found[#found + 1] = finding("host", "error", what or problem, fix and { fix } or nil)
  end
  local settings = require("codex-chat.config").get()
  local node = require("codex-chat.outside.programs").find(settings.node)
  local is_new = settings.host_cmd ~= nil
  if is_new then
    found[#found + 1] = finding("host", "ok", "host_cmd starts the host.")
  elseif node then
    found[#found + 1] = node_version(node)
    is_new = found[#found].level == "ok"
  end
  return found, is_new and argv or nil
end

---@param out vim.SystemCompleted
---@return codex-chat.HealthFinding[]
local function answer_of(out)
  local opts = { luanil = { object = true } }
  local decoded, found = pcall(vim.json.decode, out.stdout or "", opts)
  if decoded and type(found) == "table" then
    return found
  end
  local text = ("The host's checks ended with exit code %d."):format(out.code)
  return {
    finding("host", "error", text, {
      vim.trim(out.stderr or ""):sub(-400),
      "See :CodexChat log.",
    }),
  }
end

--- Runs the host's own checks: engine, runtime, image, model endpoint, each with its fix.
---@param argv string[] the host's command
---@param root string the project's
---@param on_done? fun(found: codex-chat.HealthFinding[]) called later; without it, this waits for them
---@return codex-chat.HealthFinding[]? found nil if `on_done` gets them
function M.run(argv, root, on_done)
  local command = vim.list_extend(vim.list_slice(argv, 1, #argv), { "--health", root })
  local ok, process = pcall(vim.system, command, {
    stdin = vim.json.encode(require("codex-chat.config").host_settings()),
    -- SECURITY: not in the project, where a version manager's `node` looks for the program to
    -- start.
    cwd = require("codex-chat.host.command").dir,
    env = require("codex-chat.outside.programs").env(),
    text = true,
    timeout = 60000,
  }, on_done and vim.schedule_wrap(function(out)
    on_done(answer_of(out))
  end))
  if not ok then
    local text = "The host's checks could not be run: " .. tostring(process)
    local found = { finding("host", "error", text) }
    return on_done and on_done(found) or found
  end
  return not on_done and answer_of(process:wait()) or nil
end

return M
