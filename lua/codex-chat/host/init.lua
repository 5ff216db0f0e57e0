--- The host process: started on first use, and again after it died. Lua only notifies it.
local M = {}

local command = require("codex-chat.host.command")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

---@type integer? the running host's channel
local channel
---@type string[] the last lines of its stderr
local complaints = {}
local leaving = false

--- Where the host logs to.
---@return string
function M.log_path()
  return require("codex-chat.config").get().state_dir .. "/host.log"
end

--- The host's process id, while it runs.
---@return integer?
function M.pid()
  return channel and vim.fn.jobpid(channel) or nil
end

--- Notes that the host is gone. Every part that depends on it hears of that by `HostEnded`.
---@param message string
local function lose(message)
  for _, chat in ipairs(registry.all()) do
    if chat.host ~= "none" then
      chat.host = "lost"
    end
  end
  require("codex-chat.events").emit("HostEnded", { message = message })
  say.error(message)
end

--- Runs beside the host, so that a good Node costs no time. SECURITY: not in the working directory,
--- where a version manager's `node` looks for files that say which program to start.
---@param node string
local function check_node(node)
  local opts = { text = true, timeout = 10000, cwd = command.dir }
  opts.env = require("codex-chat.outside.programs").env()
  vim.system({ node, "--version" }, opts, function(out)
    local version = vim.trim(out.stdout or "")
    if out.code == 0 and command.node_is_new(version) then
      return
    end
    vim.schedule(function()
      local job = channel
      channel = nil
      if job then
        vim.fn.jobstop(job)
        lose(
          (
            "Node is %s, and %s or newer is needed (%s). Update it, or set `node` in the "
            .. "configuration to a newer one: :help codex-chat-node"
          ):format(
            version == "" and "of an unknown version" or version,
            command.oldest_node,
            vim.fn.fnamemodify(node, ":~")
          )
        )
      end
    end)
  end)
end

---@param job integer
---@param code integer
local function on_exit(job, code)
  if job ~= channel then
    return
  end
  channel = nil
  if leaving then
    return
  end
  local said = vim.trim(table.concat(complaints, "\n"))
  if #said > 400 then
    said = "…" .. said:sub(-400)
  end
  lose(
    ("The host ended with exit code %d%s. Its log is %s (:CodexChat log). Send again to start it again."):format(
      code,
      said == "" and "" or ": " .. said,
      M.log_path()
    )
  )
end

--- Starts the host unless it runs.
---@return integer? channel
---@return string? err
local function start()
  if channel then
    return channel
  end
  local argv, missing = command.find()
  if not argv then
    return nil, missing
  end
  complaints = {}
  local config = require("codex-chat.config").get()
  local made, why = pcall(vim.fn.mkdir, config.state_dir, "p", tonumber("700", 8))
  if not made then
    return nil,
      ("The state directory %s cannot be made: %s. Fix that, or set `state_dir` in the configuration to another directory, then send again."):format(
        config.state_dir,
        why
      )
  end
  local ok, job = pcall(vim.fn.jobstart, argv, {
    rpc = true,
    cwd = command.dir,
    env = vim.tbl_extend("force", require("codex-chat.outside.programs").env(), {
      CODEX_CHAT_LOG_FILE = M.log_path(),
      CODEX_CHAT_LOG_LEVEL = config.log_level,
    }),
    on_stderr = function(_, lines)
      vim.list_extend(complaints, lines)
      complaints = vim.list_slice(complaints, math.max(1, #complaints - 40))
    end,
    on_exit = on_exit,
  })
  if not ok or job <= 0 then
    return nil, ("The host could not be started: %s"):format(ok and table.concat(argv, " ") or job)
  end
  channel = job
  if not config.host_cmd then
    check_node(argv[1])
  end
  return channel
end

--- Notifications that use the model or the sandbox: none is sent with a wrong configuration.
local held_back = {
  ["turn/send"] = true,
  ["turn/retry"] = true,
  ["action/run"] = true,
  ["sandbox/prepare"] = true,
}

local HAS_ENDED = "The host has ended. `:CodexChat log` may say why; the next try starts it again."

--- Sends the host the settings if they have changed since it got them.
---@param chat codex-chat.Chat
---@return string? refused
local function renew_settings(chat)
  local config = require("codex-chat.config")
  local refused = config.refusal()
  if refused then
    return refused
  end
  local settings = config.host_settings()
  if channel and chat.settings and not vim.deep_equal(settings, chat.settings) then
    chat.settings = settings
    pcall(vim.rpcnotify, channel, "chat/configure", { buf = chat.buf, settings = settings })
  end
end

--- Opens the conversation in the host, and all others that an earlier host had.
---@param chat codex-chat.Chat
---@return boolean opened
---@return string? err
local function open(chat)
  local was_running = channel ~= nil
  local job, err = start()
  if not job then
    chat.host = "lost"
    require("codex-chat.status").set(chat, { phase = "failed", detail = err:match("^[^.]*") })
    return false, err
  end
  require("codex-chat.reload").guard()
  if chat.host == "none" and require("codex-chat.project.refusal").of(chat.root) then
    -- The host refuses it too, when something is sent; by then a query stands in the wrong place.
    say.warn(
      ("the agent gets no access to %s. Open a project: :CodexChat open ~/work"):format(
        vim.fn.fnamemodify(chat.root, ":~")
      )
    )
  end
  local settings = require("codex-chat.config").host_settings()
  for _, each in ipairs(registry.all()) do
    local lost = each.host == "lost" and not was_running
    if (each == chat or lost) and vim.api.nvim_buf_is_loaded(each.buf) then
      each.host = "asked"
      -- This host, or this conversation of it, has no query yet.
      each.sent = nil
      local sent = pcall(vim.rpcnotify, job, "chat/open", {
        buf = each.buf,
        path = each.path,
        root = each.root,
        project_dir = each.project_dir,
        settings = settings,
      })
      if not sent then
        -- It has ended, and Neovim says so later.
        each.host = "none"
        return false, HAS_ENDED
      end
      each.settings = settings
      if each.state.phase == "failed" then
        require("codex-chat.status").set(each, { phase = "idle" })
      end
    end
  end
  return true
end

--- Opens the conversation in the host; where that fails, the user sees why.
---@param chat codex-chat.Chat
---@return boolean opened
function M.open(chat)
  local opened, err = open(chat)
  if err then
    say.error(err)
  end
  return opened
end

--- Sends a notification that needs no open conversation, and starts the host if it is not running.
---@param method codex-chat.NotificationName
---@param params table the notification's, such as codex-chat.ThreadsList
---@return boolean sent
---@return string? err
function M.tell(method, params)
  local job, err = start()
  if not job then
    return false, err
  end
  local sent = pcall(vim.rpcnotify, job, method, params)
  return sent, not sent and "the host has just ended; try again." or nil
end

--- Sends a notification about the chat, and starts the host if it is not running. Anything sent
--- before the host listens waits in its pipe.
---@param chat codex-chat.Chat
---@param method codex-chat.NotificationName
---@param params table the notification's, such as codex-chat.TurnSend
---@return boolean sent
---@return string? err why it was not sent, for the caller to show
function M.try_notify(chat, method, params)
  if chat.host ~= "asked" and chat.host ~= "attached" then
    local opened, err = open(chat)
    if not opened then
      return false, err
    end
  end
  local refused = held_back[method] and renew_settings(chat)
  if refused then
    return false, refused
  end
  params.buf = chat.buf
  if not channel or not pcall(vim.rpcnotify, channel, method, params) then
    return false, HAS_ENDED
  end
  return true
end

--- Sends a notification about the chat; where that fails, the user sees why.
---@param chat codex-chat.Chat
---@param method codex-chat.NotificationName
---@param params table the notification's, such as codex-chat.TurnSend
---@return boolean sent
function M.notify(chat, method, params)
  local sent, err = M.try_notify(chat, method, params)
  if err then
    say.error(err)
  end
  return sent
end

--- Opens the chat in the host unless that was done before; a host that died starts only by sending.
---@param chat codex-chat.Chat
function M.wake(chat)
  local is_open = registry.get(chat.buf) == chat and vim.api.nvim_buf_is_loaded(chat.buf)
  if chat.host == "none" and is_open then
    M.open(chat)
  end
end

--- The user has begun to type a query: what it will need starts meanwhile. All that can go wrong is
--- said when it is sent.
---@param chat codex-chat.Chat
function M.prepare(chat)
  M.wake(chat)
  if chat.host == "asked" or chat.host == "attached" then
    M.try_notify(chat, "sandbox/prepare", {})
  end
end

--- The host has taken the chat: from now on it writes the file.
---@param chat codex-chat.Chat
function M.attached(chat)
  if chat.host == "asked" then
    chat.host = "attached"
  end
end

--- The chat is gone.
---@param chat codex-chat.Chat
function M.close(chat)
  if channel and (chat.host == "asked" or chat.host == "attached") then
    pcall(vim.rpcnotify, channel, "chat/close", { buf = chat.buf })
  end
  chat.host = "none"
  if chat.state.phase ~= "idle" then
    require("codex-chat.status").set(chat, { phase = "idle" })
  end
end

--- How long leaving waits at most for the host to have all text, in ms; usually it takes a few.
local LEAVE_MS = 3000

---@type table<codex-chat.Chat, true> chats whose text the host has not confirmed yet
local waits_for = {}

--- The host has all of the chat's text.
---@param chat codex-chat.Chat?
function M.kept(chat)
  if chat then
    waits_for[chat] = nil
  end
end

--- The host ends when its pipe does, and writes what it has. Neovim drops what that pipe has not taken
--- yet, such as a large text that was pasted and sent just before. So leaving waits for it, and Lua
--- writes any text that the host still lacks after that.
---@param save fun(chat: codex-chat.Chat)
local function leave(save)
  leaving = true
  for _, chat in ipairs(registry.all()) do
    if chat.host == "attached" and M.notify(chat, "chat/leave", {}) then
      waits_for[chat] = true
    end
  end
  vim.wait(LEAVE_MS, function()
    return not channel or next(waits_for) == nil
  end, 5)
  for _, chat in ipairs(registry.all()) do
    if chat.host ~= "attached" or waits_for[chat] then
      save(chat)
    end
  end
end

--- Keeps text from being lost when Neovim ends. Idempotent.
---@param save fun(chat: codex-chat.Chat) writes a file that the host does not write
function M.keep_on_leave(save)
  local group = require("codex-chat.events").first_group("leave")
  if group then
    vim.api.nvim_create_autocmd("VimLeavePre", {
      group = group,
      callback = function()
        leave(save)
      end,
    })
  end
end

return M
