--- The user's configuration, checked by hand so that every message names its key.
local M = {}

---@class (exact) codex-chat.Config.Window
---@field position "right"|"left"|"top"|"bottom"|"tab"
---@field size number part of the editor's width or height below 1, else columns or rows
---@field min_width integer columns that a split beside others is not narrower than, where there are as many
---@field startinsert boolean whether opening the chat begins insert mode

---@class (exact) codex-chat.Config.Keys `false` leaves a key alone
---@field send string|false
---@field send_insert string|false
---@field stop string|false
---@field accept string|false
---@field accept_session string|false
---@field decline string|false
---@field cancel string|false
---@field pick boolean whether numbers pick an option where one is asked for
---@field next_approval string|false
---@field prev_approval string|false

---@class (exact) codex-chat.Config.Completion
---@field auto boolean whether it comes while typing

---@class (exact) codex-chat.Config.Notify while the chat is not in view
---@field done boolean whether a turn's end is told
---@field waiting boolean whether a question is told

---@class (exact) codex-chat.Config what is in force
---@field model? string
---@field effort? string
---@field model_url? string
---@field api_key_env? string
---@field api_key_cmd? string[]
---@field approvals? "never"|"on-request"|"untrusted"
---@field limits? table
---@field sandbox? table
---@field editor_tools table<string, boolean> what Codex may ask the editor
---@field agents_md? string the user's own instructions, read-only inside
---@field skills_dirs? string[] directories of the user's own skills, read-only inside
---@field mcp_servers? table<string, table> as Codex's own configuration has them
---@field stop_commands? "always"|"ask"|"never" whether stopping a turn ends its commands
---@field log_level? "debug"|"info"|"warn"|"error"
---@field state_dir string
---@field history_dir? string absolute, or below the project's root
---@field node string
---@field root_markers string[]
---@field window codex-chat.Config.Window
---@field keys codex-chat.Config.Keys
---@field completion codex-chat.Config.Completion
---@field notify codex-chat.Config.Notify
---@field prompts? table<string, codex-chat.Template> prompt templates by name
---@field prompts_dir? string where markdown files with prompt templates lie
---@field host_cmd? string[] starts another host; for tests

--- What a value must be: a type, a choice, or a table of these.
---@alias codex-chat.Rule
---| string
---| { one_of: string[] }
---| { list_of: "string" }
---| { map_of: codex-chat.Rule }
---| { keys: table<string, codex-chat.Rule> }

--- A server of `mcp_servers`, in the words of Codex's own configuration.
---@type codex-chat.Rule
local mcp_server = {
  keys = {
    command = "string",
    args = { list_of = "string" },
    env = { map_of = "string" },
    env_vars = { list_of = "string" },
    cwd = "string",
    url = "string",
    bearer_token_env_var = "string",
    http_headers = { map_of = "string" },
    env_http_headers = { map_of = "string" },
    scopes = { list_of = "string" },
    oauth_resource = "string",
    enabled = "boolean",
    required = "boolean",
    startup_timeout_sec = "number",
    startup_timeout_ms = "number",
    tool_timeout_sec = "number",
    enabled_tools = { list_of = "string" },
    disabled_tools = { list_of = "string" },
    supports_parallel_tool_calls = "boolean",
    default_tools_approval_mode = { one_of = { "auto", "prompt", "approve" } },
    tools = { map_of = { keys = { approval_mode = { one_of = { "auto", "prompt", "approve" } } } } },
  },
}

---@type table<string, codex-chat.Rule>
local rules = {
  model = "string",
  effort = "string",
  model_url = "string",
  api_key_env = "string",
  api_key_cmd = { list_of = "string" },
  approvals = { one_of = { "never", "on-request", "untrusted" } },
  limits = {
    keys = {
      requests_per_turn = "number",
      response_idle_ms = "number",
      silence_ms = "number",
    },
  },
  sandbox = {
    keys = {
      runtime = "string",
      base_image = "string",
      engine = "string",
      build_network = "string",
      memory = "number",
      cpus = "number",
      pids = "number",
      idle_minutes = "number",
      env = { map_of = "string" },
    },
  },
  agents_md = "string",
  skills_dirs = { list_of = "string" },
  mcp_servers = { map_of = mcp_server },
  editor_tools = {
    keys = {
      buffers = "boolean",
      cursor = "boolean",
      diagnostics = "boolean",
      quickfix = "boolean",
      lsp = "boolean",
    },
  },
  stop_commands = { one_of = { "always", "ask", "never" } },
  log_level = { one_of = { "debug", "info", "warn", "error" } },
  state_dir = "string",
  history_dir = "string",
  node = "string",
  root_markers = { list_of = "string" },
  window = {
    keys = {
      position = { one_of = { "right", "left", "top", "bottom", "tab" } },
      size = "number",
      min_width = "number",
      startinsert = "boolean",
    },
  },
  keys = {
    keys = {
      send = "key",
      send_insert = "key",
      stop = "key",
      accept = "key",
      accept_session = "key",
      decline = "key",
      cancel = "key",
      pick = "boolean",
      next_approval = "key",
      prev_approval = "key",
    },
  },
  notify = { keys = { done = "boolean", waiting = "boolean" } },
  completion = { keys = { auto = "boolean" } },
  prompts = { map_of = "template" },
  prompts_dir = "string",
  host_cmd = { list_of = "string" },
}

--- The keys that the host knows; the rest is for Lua alone.
local host_keys = {
  "model",
  "effort",
  "model_url",
  "api_key_env",
  "api_key_cmd",
  "approvals",
  "state_dir",
  "limits",
  "sandbox",
  "stop_commands",
  "agents_md",
  "skills_dirs",
  "mcp_servers",
  "editor_tools",
  "log_level",
}

---@return codex-chat.Config
local function defaults()
  return {
    state_dir = vim.fn.stdpath("state") .. "/codex-chat",
    node = "node",
    root_markers = { "package.json", "Cargo.toml", "go.mod", "pyproject.toml", "Makefile" },
    window = { position = "right", size = 0.45, min_width = 50, startinsert = true },
    notify = { done = true, waiting = true },
    completion = { auto = true },
    editor_tools = {
      buffers = true,
      cursor = true,
      diagnostics = true,
      quickfix = true,
      lsp = true,
    },
    keys = {
      send = "<CR>",
      send_insert = "<C-s>",
      stop = "<C-c>",
      accept = "a",
      accept_session = "s",
      decline = "d",
      cancel = "c",
      pick = true,
      next_approval = "]a",
      prev_approval = "[a",
    },
  }
end

---@param name string
---@param known table<string, any>
---@return string? the known name nearest to `name`, where one is near
local function nearest(name, known)
  local names = vim.tbl_keys(known)
  table.sort(names)
  local limit = math.max(2, math.floor(#name / 2))
  return require("codex-chat.near").find(name:lower(), names, limit)
end

local check

---@param value table
---@param known table<string, codex-chat.Rule>
---@param path string
---@param problems string[]
---@return table kept the entries that are right
local function check_keys(value, known, path, problems)
  local kept = {}
  local names = vim.tbl_keys(value)
  table.sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, key in ipairs(names) do
    local entry = value[key]
    local name = path .. tostring(key)
    local rule = known[key]
    if rule then
      kept[key] = check(entry, rule, name, problems)
    else
      local near = type(key) == "string" and nearest(key, known)
      problems[#problems + 1] = near
          and ("unknown key `%s`; did you mean `%s`?"):format(name, path .. near)
        or ("unknown key `%s`; see :help codex-chat-config"):format(name)
    end
  end
  return kept
end

--- Gives the value where it fits its rule, else nil and a problem.
function check(value, rule, name, problems)
  local function wrong(expected)
    problems[#problems + 1] = ("`%s` must be %s, not %s"):format(
      name,
      expected,
      type(value) == "table" and "a table" or vim.inspect(value)
    )
  end
  if type(rule) == "string" then
    if rule == "key" then
      if type(value) == "string" or value == false then
        return value
      end
      return wrong("a key like `<CR>`, or false")
    end
    if rule == "template" then
      if type(value) == "string" or type(value) == "function" then
        return value
      end
      return wrong("a text, or a function that gives one")
    end
    if type(value) == rule then
      return value
    end
    return wrong("a " .. rule)
  end
  if rule.one_of then
    if vim.list_contains(rule.one_of, value) then
      return value
    end
    return wrong('one of "' .. table.concat(rule.one_of, '", "') .. '"')
  end
  if type(value) ~= "table" then
    return wrong(rule.list_of and "a list of strings" or "a table")
  end
  if rule.keys then
    return check_keys(value, rule.keys, name .. ".", problems)
  end
  if rule.map_of and rule.map_of ~= "string" then
    local kept = {}
    for key, entry in vim.spairs(value) do
      if type(key) ~= "string" then
        return wrong("a table by name")
      end
      kept[key] = check(entry, rule.map_of, ("%s.%s"):format(name, key), problems)
    end
    return kept
  end
  if rule.list_of and not vim.islist(value) then
    return wrong("a list of strings")
  end
  for key, entry in pairs(value) do
    if type(entry) ~= "string" or (rule.map_of and type(key) ~= "string") then
      return wrong(rule.list_of and "a list of strings" or "a table of names and strings")
    end
  end
  return value
end

---@type table? what setup() was given
local given
---@type codex-chat.Config?
local resolved
---@type table? what `resolved` was made from
local source

--- Checks and takes over the user's settings, in place of `vim.g.codex_chat`.
---@param opts table?
function M.setup(opts)
  given = opts or {}
  resolved = nil
  M.get()
end

---@param path string
---@return string
local function absolute(path)
  path = vim.fs.normalize(vim.fn.fnamemodify(vim.fn.expand(path), ":p"))
  return #path > 1 and (path:gsub("/$", "")) or path
end

--- Checks `user` and fills in the defaults.
---@param user any
---@return codex-chat.Config config
---@return string[] problems sentences that name the keys; their defaults are in force instead
function M.resolve(user)
  local problems = {}
  if user ~= nil and type(user) ~= "table" then
    problems[1] = ("the configuration must be a table, not %s"):format(vim.inspect(user))
    user = nil
  end
  local kept = check_keys(user or {}, rules, "", problems)
  ---@type codex-chat.Config
  local config = vim.tbl_deep_extend("force", defaults(), kept)
  if kept.root_markers then
    config.root_markers = kept.root_markers
  end
  if config.window.size <= 0 then
    problems[#problems + 1] = "`window.size` must be above 0"
    config.window.size = defaults().window.size
  end
  config.state_dir = absolute(config.state_dir)
  config.agents_md = config.agents_md and absolute(config.agents_md)
  config.skills_dirs = config.skills_dirs and vim.tbl_map(absolute, config.skills_dirs)
  return config, problems
end

--- The configuration in force; problems are reported once for each configuration.
---@return codex-chat.Config
function M.get()
  local user = given
  if not user then
    user = vim.g.codex_chat
    -- vim.g gives a fresh copy each time: compare what it holds.
    if resolved and not vim.deep_equal(user, source) then
      resolved = nil
    end
  end
  if not resolved then
    local problems
    source = user
    resolved, problems = M.resolve(user)
    if #problems > 0 then
      vim.notify("codex-chat: " .. table.concat(problems, "\ncodex-chat: "), vim.log.levels.WARN)
    end
  end
  return resolved
end

---@return string
local function default_path()
  return M.get().state_dir .. "/default-model.json"
end

--- The model and effort that the user has picked as the default, where the configuration names none.
---@return { model?: string, effort?: string }
function M.chosen_default()
  local file = io.open(default_path(), "r")
  if not file then
    return {}
  end
  local ok, chosen = pcall(vim.json.decode, file:read(4096) or "")
  file:close()
  local function word(value)
    return type(value) == "string" and value ~= "" and value or nil
  end
  if not ok or type(chosen) ~= "table" then
    return {}
  end
  return { model = word(chosen.model), effort = word(chosen.effort) }
end

--- Keeps a model and effort as the default for conversations to come.
---@param model string
---@param effort? string
---@return true? ok
---@return string? err
function M.choose_default(model, effort)
  return require("codex-chat.document").write(
    default_path(),
    { vim.json.encode({ model = model, effort = effort }) }
  )
end

--- What the host is told: the settings it knows, absent ones left out.
---@return table
function M.host_settings()
  local config = M.get()
  local settings = {}
  for _, key in ipairs(host_keys) do
    local value = config[key]
    if value == nil and (key == "model" or key == "effort") then
      value = M.chosen_default()[key]
    end
    -- An empty table would travel as a list.
    if value ~= nil and not (type(value) == "table" and next(value) == nil) then
      settings[key] = value
    end
  end
  if settings.sandbox and settings.sandbox.env and next(settings.sandbox.env) == nil then
    settings.sandbox = vim.tbl_extend("force", settings.sandbox, { env = vim.empty_dict() })
  end
  return settings
end

return M
