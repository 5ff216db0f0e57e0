--- The user's configuration; each message about a mistake names its key.
local M = {}

local check = require("codex-chat.config.check")
local rules = require("codex-chat.config.rules")
local say = require("codex-chat.message")

---@class (exact) codex-chat.Config.Window
---@field position "right"|"left"|"top"|"bottom"|"tab"|"float"|"current"
---@field size number part of the editor's width or height below 1, else columns or rows
---@field min_width integer the least columns of a split beside others, if there are that many
---@field startinsert boolean whether opening the chat starts insert mode
---@field follow boolean whether the window beside the chat shows the file that Codex reads or edits

---@class (exact) codex-chat.Config.Keys `false` maps nothing
---@field send string|false
---@field send_insert string|false
---@field stop string|false
---@field accept string|false
---@field accept_session string|false
---@field accept_project string|false
---@field decline string|false
---@field cancel string|false
---@field edit string|false opens a patch as a diff
---@field pick boolean whether numbers pick the options of a question
---@field next_approval string|false
---@field prev_approval string|false
---@field show_keys codex-chat.KeyList
---@field next_turn codex-chat.KeyList
---@field prev_turn codex-chat.KeyList
---@field outline codex-chat.KeyList
---@field follow codex-chat.KeyList
---@field follow_split codex-chat.KeyList
---@field follow_tab codex-chat.KeyList
---@field open_link codex-chat.KeyList
---@field yank_code codex-chat.KeyList
---@field recall_prev codex-chat.KeyList
---@field recall_next codex-chat.KeyList

---@alias codex-chat.KeyList string|string[]|false

---@class (exact) codex-chat.Config.Completion
---@field auto boolean whether to complete while typing

---@class (exact) codex-chat.Config.Notify messages while the chat is not in view
---@field done boolean whether to report the end of a turn
---@field waiting boolean whether to report a question

---@class (exact) codex-chat.Config.Network
---@field allow string[] hosts that the sandbox may reach besides the model: presets, domains, addresses
---@field ask boolean whether to ask the user about other hosts, or refuse them at once
---@field proxy? string the proxy for the model and other hosts: "http://proxy:3128"
---@field proxy_auth_cmd? string[] a command that prints the proxy's user:password
---@field no_proxy? string[] hosts that are reached without it, written as in `allow`

---@class (exact) codex-chat.Config the resolved configuration
---@field model? string
---@field effort? string
---@field model_url? string
---@field api_key_env? string
---@field api_key_cmd? string[]
---@field api_key_header? string the header with the key, else Authorization: Bearer
---@field auth? "key"|"login"|"none" how calls of the model are authorized
---@field model_headers? table<string, string> headers of each call
---@field model_query? table<string, string> query parameters of each call
---@field login_url? string a backend other than ChatGPT's, for a login
---@field login_issuer? string another login service, for tests
---@field approvals? "never"|"on-request"|"untrusted"
---@field git? "private"|"off" whether the agent has a git directory of its own
---@field limits? table
---@field sandbox? table
---@field network codex-chat.Config.Network
---@field watch { paths: string[] } patterns of more files that something on the machine runs
---@field editor_tools table<string, boolean> which editor tools Codex may use
---@field agents_md? string the user's own instructions, read-only in the container
---@field skills_dirs? string[] directories of the user's own skills, read-only in the container
---@field mcp_servers? table<string, table> in the form of Codex's own configuration
---@field stop_commands? "always"|"ask"|"never" whether stopping a turn stops its commands
---@field log_level? "debug"|"info"|"warn"|"error"
---@field state_dir string
---@field history_dir? string absolute, or relative to the project's root
---@field node string
---@field roots string[] directories that are projects of their own; may have wildcards
---@field root_markers string[]
---@field window codex-chat.Config.Window
---@field keys codex-chat.Config.Keys
---@field completion codex-chat.Config.Completion
---@field notify codex-chat.Config.Notify
---@field prompts? table<string, codex-chat.Template> prompt templates by name
---@field prompts_dir? string the directory of prompt templates in markdown files
---@field host_cmd? string[] a command that starts another host, for tests

---@return codex-chat.Config
local function defaults()
  return {
    state_dir = vim.fn.stdpath("state") .. "/codex-chat",
    node = "node",
    roots = {},
    root_markers = { "package.json", "Cargo.toml", "go.mod", "pyproject.toml", "Makefile" },
    window = { position = "right", size = 0.45, min_width = 50, startinsert = true, follow = false },
    notify = { done = true, waiting = true },
    completion = { auto = true },
    watch = { paths = {} },
    network = { allow = {}, ask = true, no_proxy = {} },
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
      accept_project = "p",
      decline = "d",
      cancel = "c",
      edit = "e",
      pick = true,
      next_approval = "]a",
      prev_approval = "[a",
      show_keys = "g?",
      next_turn = "]]",
      prev_turn = "[[",
      outline = "gO",
      follow = { "gf", "gF", "<CR>" },
      follow_split = { "<C-w>f", "<C-w><C-f>", "<C-w>F" },
      follow_tab = { "<C-w>gf", "<C-w>gF" },
      open_link = "gx",
      yank_code = "gy",
      recall_prev = { "<Up>", "<C-p>" },
      recall_next = { "<Down>", "<C-n>" },
    },
  }
end

---@type any[] the argument of each call of setup()
local setup_calls = {}
---@type codex-chat.Config?
local resolved
---@type string? why nothing may be sent
local refusal
---@type any the `vim.g.codex_chat` that `resolved` was made from; setup() drops `resolved`
local source

--- Checks and applies settings, over those of `vim.g.codex_chat`, whenever that is set, and of earlier
--- calls.
---@param opts table?
function M.setup(opts)
  setup_calls[#setup_calls + 1] = opts
  resolved = nil
  M.get()
end

--- The user's settings from all places, the later ones over the earlier ones.
---@return table user
---@return string[] problems of places that were left out
function M.user()
  local layers = require("codex-chat.config.layers")
  local user, problems = {}, {}
  local function add(name, layer)
    if type(layer) == "table" and not (vim.islist(layer) and #layer > 0) then
      user = layers.merge(user, layer)
    elseif layer ~= nil and layer ~= vim.NIL then
      problems[#problems + 1] = ("%s must be a table, not %s"):format(name, vim.inspect(layer))
    end
  end
  add("`vim.g.codex_chat`", vim.g.codex_chat)
  vim.list_extend(problems, layers.lost_functions(vim.g.codex_chat))
  for _, layer in ipairs(setup_calls) do
    add("the argument of `setup()`", layer)
  end
  return user, problems
end

---@param path string
---@return string
local function absolute(path)
  path = vim.fs.normalize(vim.fn.fnamemodify(vim.fn.expand(path), ":p"))
  return #path > 1 and (path:gsub("/$", "")) or path
end

--- The path without links; its last parts need not exist yet. Neovim names a buffer by such a path once
--- its directory exists, and a conversation is known by that name.
---@param path string absolute
---@return string
local function without_links(path)
  local at, rest = path, ""
  while at ~= "/" do
    local real = vim.uv.fs_realpath(at)
    if real then
      return (real == "/" and "" or real) .. rest
    end
    at, rest = vim.fs.dirname(at), "/" .. vim.fs.basename(at) .. rest
  end
  return path
end

--- Whether Neovim would use the working directory as the home, which it does for a user with neither
--- $HOME nor an account: conversations would be in the project.
---@param user table
---@return boolean
local function is_homeless(user)
  local is_named = user.state_dir or (vim.env.XDG_STATE_HOME or "") ~= ""
  return not is_named and (vim.uv.os_homedir() or "") == ""
end

--- Settings in which a mistake can neither send anything elsewhere nor weaken the sandbox.
local harmless = { "window", "keys", "notify", "completion", "prompts", "prompts_dir" }

--- Checks `user` and fills in the defaults.
---@param user any
---@return codex-chat.Config config with the default for each wrong setting
---@return string[] problems sentences that name the keys
---@return string[] grave the problems that forbid sending
function M.resolve(user)
  local problems, grave = {}, {}
  if user ~= nil and type(user) ~= "table" then
    problems[1] = ("the configuration must be a table, not %s"):format(vim.inspect(user))
    grave[1], user = problems[1], nil
  end
  local layers = require("codex-chat.config.layers")
  local function note(problem, key)
    problems[#problems + 1] = problem
    if not vim.list_contains(harmless, key) then
      grave[#grave + 1] = problem
    end
  end
  local kept = check.keys(layers.merge({}, user or {}), rules.keys, "", note)
  ---@type codex-chat.Config
  local config = layers.merge(defaults(), kept)
  if config.window.size <= 0 then
    note("`window.size` must be above 0", "window")
    config.window.size = defaults().window.size
  end
  for i, pattern in ipairs(config.roots) do
    if not pattern:find("^[~/$]") then
      note(("`roots[%d]` must begin with / or ~, not %q"):format(i, pattern), "roots")
    end
  end
  if is_homeless(user or {}) then
    note(
      (
        "`state_dir` would lie in the working directory: HOME is not set, and the "
        .. "uid %d has no account; set HOME, or `state_dir` to a directory of yours"
      ):format(vim.uv.getuid()),
      "state_dir"
    )
  end
  config.state_dir = without_links(absolute(config.state_dir))
  config.agents_md = config.agents_md and absolute(config.agents_md)
  config.skills_dirs = config.skills_dirs and vim.tbl_map(absolute, config.skills_dirs)
  config.sandbox = config.sandbox and require("codex-chat.config.sandbox").resolve(config.sandbox)
  return config, problems, grave
end

--- Resolves the user's settings from all places.
---@return codex-chat.Config config
---@return string[] problems
---@return string[] grave
function M.check()
  local user, problems = M.user()
  local grave = vim.list_slice(problems)
  local config, more, more_grave = M.resolve(user)
  return config, vim.list_extend(problems, more), vim.list_extend(grave, more_grave)
end

--- The resolved configuration; its problems are shown once.
---@return codex-chat.Config
function M.get()
  local set = vim.g.codex_chat
  -- vim.g returns a new copy each time: compare by value.
  if resolved and vim.deep_equal(set, source) then
    return resolved
  end
  local problems, grave
  source = set
  resolved, problems, grave = M.check()
  refusal = #grave > 0 and table.concat(grave, "; ") or nil
  if #problems > 0 then
    say.warn(table.concat(problems, "\ncodex-chat: "))
  end
  return resolved
end

--- Why nothing may be sent with this configuration: with a default for a wrong setting, text and key
--- could go to another endpoint, or commands run in a weaker sandbox.
---@return string?
function M.refusal()
  M.get()
  return refusal
    and ("nothing was sent. The configuration is wrong: %s. Correct that and start Neovim again."):format(
      refusal
    )
end

--- The file with the model and effort that the user has picked as the default.
---@return string
function M.default_model_path()
  return M.get().state_dir .. "/default-model.json"
end

--- The model and effort that the user has picked as the default, if the configuration names none.
---@return { model?: string, effort?: string }
function M.chosen_default()
  local file = io.open(M.default_model_path(), "r")
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

--- The settings for the host, without absent ones.
---@return table
function M.host_settings()
  local config = M.get()
  local settings = {}
  for _, key in ipairs(rules.host_keys) do
    local value = config[key]
    if value == nil and (key == "model" or key == "effort") then
      value = M.chosen_default()[key]
    end
    -- An empty table would be sent as a list.
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
