--- The settings, and the rule for the value of each.
local M = {}

--- A rule for a value: a type, a choice, or a table of rules.
---@alias codex-chat.Rule
---| string
---| { one_of: string[] }
---| { list_of: codex-chat.Rule }
---| { either: codex-chat.Rule[] } a plain type, and a rule for tables
---| { map_of: codex-chat.Rule }
---| { keys: table<string, codex-chat.Rule> }

--- A server of `mcp_servers`, in the form of Codex's own configuration.
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
M.keys = {
  model = "string",
  effort = "string",
  model_url = "string",
  api_key_env = "string",
  api_key_cmd = { list_of = "string" },
  api_key_header = "string",
  auth = { one_of = { "key", "login", "none" } },
  model_headers = { map_of = "string" },
  model_query = { map_of = "string" },
  login_url = "string",
  login_issuer = "string",
  approvals = { one_of = { "never", "on-request", "untrusted" } },
  git = { one_of = { "private", "off" } },
  limits = {
    keys = {
      requests_per_turn = "number",
      concurrent_requests = "number",
      bytes_per_turn = "number",
      tokens_per_turn = "number",
      response_idle_ms = "number",
      silence_ms = "number",
    },
  },
  sandbox = {
    keys = {
      runtime = "string",
      base_image = "string",
      image = "string",
      dockerfile = "string",
      engine = "string",
      build_network = "string",
      memory = "number",
      cpus = "number",
      pids = "number",
      disk = "number",
      caches = {
        either = { "boolean", { keys = { tools = "boolean", dirs = { list_of = "string" } } } },
      },
      mounts = {
        list_of = {
          either = {
            "string",
            { keys = { source = "string", target = "string", write = "boolean" } },
          },
        },
      },
      idle_minutes = "number",
      env = { map_of = "string" },
    },
  },
  watch = { keys = { paths = { list_of = "string" } } },
  network = {
    keys = {
      allow = { list_of = "string" },
      ask = "boolean",
      proxy = "string",
      proxy_auth_cmd = { list_of = "string" },
      no_proxy = { list_of = "string" },
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
  roots = { list_of = "string" },
  root_markers = { list_of = "string" },
  window = {
    keys = {
      position = {
        one_of = { "right", "left", "top", "bottom", "tab", "float", "current" },
      },
      size = "number",
      min_width = "number",
      startinsert = "boolean",
      follow = "boolean",
    },
  },
  keys = {
    keys = {
      send = "key",
      send_insert = "key",
      stop = "key",
      accept = "key",
      accept_session = "key",
      accept_project = "key",
      decline = "key",
      cancel = "key",
      edit = "key",
      pick = "boolean",
      next_approval = "key",
      prev_approval = "key",
      show_keys = "keys",
      next_turn = "keys",
      prev_turn = "keys",
      outline = "keys",
      follow = "keys",
      follow_split = "keys",
      follow_tab = "keys",
      open_link = "keys",
      yank_code = "keys",
      recall_prev = "keys",
      recall_next = "keys",
    },
  },
  notify = { keys = { done = "boolean", waiting = "boolean" } },
  completion = { keys = { auto = "boolean" } },
  prompts = { map_of = "template" },
  prompts_dir = "string",
  host_cmd = { list_of = "string" },
}

--- The keys that the host gets; the others are only for Lua.
M.host_keys = {
  "model",
  "effort",
  "model_url",
  "api_key_env",
  "api_key_cmd",
  "api_key_header",
  "auth",
  "model_headers",
  "model_query",
  "login_url",
  "login_issuer",
  "approvals",
  "git",
  "state_dir",
  "limits",
  "sandbox",
  "network",
  "watch",
  "stop_commands",
  "agents_md",
  "skills_dirs",
  "mcp_servers",
  "editor_tools",
  "log_level",
}

return M
