--- `:CodexChat sandbox …`: shows the project's container, and manages it.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

local api = vim.api

--- The words of `:CodexChat sandbox`.
M.words = {
  "status",
  "check",
  "shell",
  "restart",
  "rebuild",
  "allow",
  "unprotect",
  "clear",
  "prune",
  "stop",
  "log",
}

--- Asks the host; shows an error, and passes a value to `callback`.
---@param chat codex-chat.Chat
---@param name string
---@param params table
---@param callback fun(value: any)
local function ask(chat, name, params, callback)
  action.run(chat, "sandbox/" .. name, params, function(value, err)
    if err then
      say.error(err)
    else
      callback(value)
    end
  end)
end

--- SECURITY: names of processes and files are chosen inside.
---@param text any
---@return string one line without control characters
local function plain(text)
  return (tostring(text):gsub("%c", " "))
end

---@param bytes integer
---@return string
local function mib(bytes)
  return bytes > 0 and ("%d MiB"):format(bytes / 1024 ^ 2) or "all"
end

---@param status codex-chat.SandboxStatus
---@return string
local function state_of(status)
  local container = status.container
  if not container or not container.running then
    return "not running; the next message starts it"
  end
  local words = "running for " .. require("codex-chat.ui.statusline").span(container.seconds)
  if not status.attached then
    words = words .. ", but not for this Neovim"
  end
  if status.others > 0 then
    words = words
      .. (", shared with %d other Neovim%s"):format(status.others, status.others > 1 and "s" or "")
  end
  return words
end

---@param status codex-chat.SandboxStatus
---@return string[]
local function status_lines(status)
  local lines = { "# Sandbox", "" }
  local function add(label, value)
    lines[#lines + 1] = plain(("- **%s** %s"):format(label, value))
  end
  add("State", state_of(status))
  add("Engine", status.engine)
  add("Runtime", status.runtime)
  local container = status.container
  if not container then
    return lines
  end
  add("Container", ("%s (%s)"):format(container.name, container.id:sub(1, 12)))
  add("Image", container.image)
  add("User", container.user)
  add("Network", container.network .. "; the relay is the only way out")
  add(
    "Limits",
    ("%s memory, %s CPUs, %s processes"):format(
      mib(container.memoryBytes),
      container.cpus > 0 and ("%g"):format(container.cpus) or "all",
      container.pids > 0 and container.pids or "all"
    )
  )
  vim.list_extend(lines, { "", "## Mounts", "" })
  for _, mount in ipairs(container.mounts) do
    lines[#lines + 1] = plain(("- `%s` %s"):format(mount.path, mount.kind))
  end
  vim.list_extend(lines, { "", "## Processes", "", "```" })
  for _, process in ipairs(container.processes) do
    lines[#lines + 1] = plain(process)
  end
  lines[#lines + 1] = "```"
  if #status.notes > 0 then
    vim.list_extend(lines, { "", "## Notes", "" })
    for _, note in ipairs(status.notes) do
      lines[#lines + 1] = plain("- " .. note)
    end
  end
  return lines
end

local verdicts = { held = "held", weaker = "**weaker**", failed = "**failed**" }

---@param checks codex-chat.SelfTestCheck[]
---@return string[]
local function table_lines(checks)
  local rows = { { "", "attempt", "what it tries from inside", "what happened" } }
  for _, check in ipairs(checks) do
    rows[#rows + 1] = {
      verdicts[check.verdict],
      check.name,
      plain(check.tries):gsub("|", "\\|"),
      plain(check.happened):gsub("|", "\\|"),
    }
  end
  local widths = { 0, 0, 0, 0 }
  for _, row in ipairs(rows) do
    for i = 1, 4 do
      widths[i] = math.max(widths[i], api.nvim_strwidth(row[i]))
    end
  end
  local lines = {}
  for n, row in ipairs(rows) do
    local cells = {}
    for i = 1, 4 do
      cells[i] = row[i] .. (" "):rep(widths[i] - api.nvim_strwidth(row[i]))
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
    if n == 1 then
      lines[#lines + 1] = "| "
        .. table.concat(
          vim.tbl_map(function(width)
            return ("-"):rep(math.max(3, width))
          end, widths),
          " | "
        )
        .. " |"
    end
  end
  return lines
end

---@param result codex-chat.SandboxCheckResult
---@return string[]
local function check_lines(result)
  local lines = { "# Self-test of the sandbox", "" }
  if result.held then
    local kernel = result.gvisor and "" or "; this runtime is not gVisor, but a weaker one"
    lines[#lines + 1] = ("**Held**: nothing got out of the container%s."):format(kernel)
    vim.list_extend(lines, {
      "",
      "- **Engine** " .. plain(result.engine),
      "- **Runtime** " .. plain(result.runtime),
      "- **Kernel** " .. plain(result.kernel),
      "- **Image** " .. plain(result.image),
    })
  else
    lines[#lines + 1] = "**Failed**. " .. plain(result.message)
    if result.ended then
      vim.list_extend(lines, { "", "The running sandbox was stopped." })
    end
    vim.list_extend(lines, { "", "To fix it:", "", "```" })
    vim.list_extend(lines, vim.split(result.fix, "\n"))
    lines[#lines + 1] = "```"
  end
  lines[#lines + 1] = ""
  return vim.list_extend(lines, table_lines(result.checks))
end

---@param chat codex-chat.Chat
local function status(chat)
  ask(chat, "status", {}, function(answer)
    require("codex-chat.ui.page").show(status_lines(answer), "sandbox")
  end)
end

---@param chat codex-chat.Chat
local function check(chat)
  say.info("testing the sandbox …")
  ask(chat, "check", {}, function(result)
    require("codex-chat.ui.page").show(check_lines(result), "sandbox/check")
    vim.wo[0][0].wrap = false
  end)
end

--- Runs a program of the container in a terminal. The bridge gets no variable of Neovim's: the user's
--- environment must not reach the container.
---@param options table for src/sandbox/shell/shell.ts
local function open_terminal(options)
  local command = require("codex-chat.host.command")
  local argv = command.find()
  if not argv then
    return
  end
  argv = vim.list_extend(vim.deepcopy(argv), { "--shell", vim.json.encode(options) })
  vim.cmd("botright new")
  local buf = api.nvim_get_current_buf()
  vim.bo[buf].bufhidden = "wipe"
  local job = {
    clear_env = true,
    env = { PATH = require("codex-chat.outside.programs").path(), TERM = "xterm-256color" },
    cwd = command.dir,
  }
  if vim.fn.has("nvim-0.11") == 1 then
    job.term = true
    vim.fn.jobstart(argv, job)
  else
    vim.fn.termopen(argv, job)
  end
  pcall(api.nvim_buf_set_name, buf, ("codex-chat-shell://%s"):format(options.container:sub(1, 12)))
  vim.cmd.startinsert()
end

---@param chat codex-chat.Chat
---@param program string
local function shell(chat, program)
  ask(chat, "shell", {}, function(options)
    options.argv = program ~= "" and { "sh", "-c", program } or nil
    open_terminal(options)
  end)
end

--- Restarts the sandbox, once the user has agreed.
---@param chat codex-chat.Chat
---@param what "restart"|"rebuild"
---@param turn boolean even if a turn is running
---@param others boolean even if other Neovims use it
local function begin(chat, what, turn, others)
  say.info(what == "rebuild" and "rebuilding the image …" or "restarting the sandbox …")
  ask(chat, what, { turn = turn, others = others }, function(started)
    say.info(("the sandbox runs (%s)."):format(started.sandbox))
  end)
end

--- Restarts the sandbox; if a turn is running, the user is asked first.
---@param chat codex-chat.Chat
---@param force boolean without asking, even if other Neovims use it
local function restart(chat, force)
  local busy = vim.iter(require("codex-chat.registry").all()):any(function(each)
    return each.root == chat.root and require("codex-chat.status").is_busy(each.state.phase)
  end)
  if force or not busy then
    begin(chat, "restart", force, force)
    return
  end
  require("codex-chat.ui.confirm").ask({
    question = "A turn is running; `sandbox restart` ends it.",
    yes = "End it",
    no = "Leave it running",
    kind = "codex-chat-sandbox",
    command = "CodexChat! sandbox restart",
  }, function()
    begin(chat, "restart", true, false)
  end)
end

--- How much of the end of the log is searched, in bytes.
local log_bytes = 2 * 1024 ^ 2
local levels = { [20] = "debug", [30] = "info", [40] = "warn", [50] = "error" }

--- A line of the host's log about the sandbox, as text.
---@param line string
---@return string?
local function log_line(line)
  local ok, entry = pcall(vim.json.decode, line, { luanil = { object = true, array = true } })
  if not ok or type(entry) ~= "table" or not (entry.part == "sandbox" or entry.from) then
    return nil
  end
  local words = {}
  for key, value in vim.spairs(entry) do
    if not vim.list_contains({ "level", "time", "pid", "msg", "part" }, key) then
      words[#words + 1] = ("%s=%s"):format(
        key,
        type(value) == "table" and vim.json.encode(value) or tostring(value)
      )
    end
  end
  local time = os.date("%Y-%m-%d %H:%M:%S", math.floor((entry.time or 0) / 1000))
  -- SECURITY: it holds what programs inside wrote to their stderr.
  return plain(
    ("%s %-5s %s %s"):format(
      time,
      levels[entry.level] or "",
      entry.msg or "",
      table.concat(words, " ")
    )
  )
end

--- Shows the lines of the host's log about the sandbox.
local function log()
  local path = require("codex-chat.host").log_path()
  local file = io.open(path, "rb")
  if not file then
    say.info(("there is no log yet at %s."):format(path))
    return
  end
  local size = file:seek("end") or 0
  file:seek("set", math.max(0, size - log_bytes))
  local lines = { "# The sandbox in the host's log", "", path, "", "```" }
  for line in file:lines() do
    lines[#lines + 1] = log_line(line)
  end
  file:close()
  lines[#lines + 1] = "```"
  require("codex-chat.ui.page").show(lines, "sandbox/log")
  api.nvim_win_set_cursor(0, { #lines, 0 })
end

--- Runs `:CodexChat sandbox`.
---@param chat codex-chat.Chat
---@param rest string
---@param bang boolean
function M.run(chat, rest, bang)
  local word, more = rest:match("^(%S*)%s*(.-)$")
  if word == "" or word == "status" then
    status(chat)
  elseif word == "check" then
    check(chat)
  elseif word == "shell" then
    shell(chat, more)
  elseif word == "restart" then
    restart(chat, bang)
  elseif word == "rebuild" then
    require("codex-chat.commands.sandbox.remove").rebuild(chat, bang, function()
      begin(chat, "rebuild", true, bang)
    end)
  elseif word == "clear" or word == "prune" then
    require("codex-chat.commands.sandbox.remove")[word](chat, bang)
  elseif word == "unprotect" then
    if more == "" then
      say.error("`:CodexChat sandbox unprotect` needs a path of the project.")
    else
      ask(chat, "unprotect", { path = more }, say.info)
    end
  elseif word == "allow" then
    require("codex-chat.commands.sandbox.dockerfile").allow(chat, more)
  elseif word == "stop" then
    require("codex-chat.host").notify(chat, "sandbox/stop", {})
  elseif word == "log" then
    log()
  else
    say.error(
      ("there is no `:CodexChat sandbox %s`; use one of %s."):format(
        plain(word),
        table.concat(M.words, ", ")
      )
    )
  end
end

return M
