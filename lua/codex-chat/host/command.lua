--- The command that starts the host: Node and the built bundle.
local M = {}

local oldest = { 20, 19 }

--- The oldest Node that the host runs on (package.json, engines).
M.oldest_node = table.concat(oldest, ".")

---@return string
local function plugin_dir()
  local here = debug.getinfo(1, "S").source:sub(2)
  return (vim.uv.fs_realpath(here) or here):match("^(.*)/lua/codex%-chat/host/command%.lua$")
end

--- The plugin's own directory, with dist/ and container/ in it.
M.dir = plugin_dir()

---@param config codex-chat.Config
---@return string? path
---@return string? err
local function find_node(config)
  local node, refusal = require("codex-chat.outside.programs").find(config.node)
  if node then
    return node
  end
  return nil,
    (
      "%s Install Node %s or newer outside of every project, or set `node` in the "
      .. "configuration to the path of one: :help codex-chat-node"
    ):format(refusal or ("Node was not found as `%s`."):format(config.node), M.oldest_node)
end

---@return string? path
---@return string? err
local function find_bundle()
  local bundle = M.dir .. "/dist/host.mjs"
  if vim.uv.fs_stat(bundle) then
    return bundle
  end
  return nil,
    (
      "The plugin was not built: %s is missing. Run `npm ci && npm run build` in %s, or install "
      .. "its branch `release`, which is built."
    ):format(bundle, M.dir)
end

--- The command that starts the host, or what is missing for it.
---@return string[]? argv
---@return string? err the first of what is missing
---@return string[]? missing all of it
function M.find()
  local config = require("codex-chat.config").get()
  if config.host_cmd then
    return config.host_cmd
  end
  local node, no_node = find_node(config)
  local bundle, no_bundle = find_bundle()
  if node and bundle then
    return { node, bundle }
  end
  local missing = {}
  missing[#missing + 1] = no_node
  missing[#missing + 1] = no_bundle
  return nil, missing[1], missing
end

--- Whether this is the output of `node --version` of one that is new enough.
---@param output string
---@return boolean
function M.node_is_new(output)
  local major, minor = output:match("^v(%d+)%.(%d+)")
  major, minor = tonumber(major), tonumber(minor)
  return major ~= nil and (major > oldest[1] or (major == oldest[1] and minor >= oldest[2]))
end

return M
