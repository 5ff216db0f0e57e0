--- `:CodexChat setup`: a page with the steps to a first question. Each is checked when the page is shown
--- and again when the user comes back to it. It only checks: the user runs the commands.
local M = {}

local page = require("codex-chat.ui.page")
local painter = require("codex-chat.highlight.painter")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.setup")

---@class (exact) codex-chat.SetupStep
---@field key string the step of its findings, or their section
---@field title string
---@field about string what it is for
---@field comes_by_itself? boolean whether it needs nothing of the user where it is not done

---@type codex-chat.SetupStep[]
local steps = {
  {
    key = "host",
    title = "Node",
    about = "It runs the plugin's host process, which talks to the engine and to the model.",
  },
  {
    key = "engine",
    title = "Engine",
    about = "Docker or Podman runs the container in which Codex works.",
  },
  {
    key = "gvisor",
    title = "gVisor",
    about = "It is the container's own kernel: commands of Codex's never reach yours.",
  },
  {
    key = "image",
    title = "Image",
    about = "It holds Codex and its tools. The first message builds it, once.",
    comes_by_itself = true,
  },
  {
    key = "Model",
    title = "Key or login",
    about = "The model needs one. It stays on your machine and never goes into the container.",
  },
}

--- Programs that a command begins with.
local programs = "^%s*(%a[%w-]*)%s+%S"
local is_program = {
  apt = true,
  chmod = true,
  df = true,
  docker = true,
  export = true,
  mkdir = true,
  npm = true,
  podman = true,
  runsc = true,
  setfacl = true,
  sudo = true,
  systemctl = true,
}

---@param text string
---@return boolean
local function is_command(text)
  return text:find("^:%a") ~= nil or is_program[text:match(programs) or ""] == true
end

--- A line of advice in its parts: the words in front of a command, and the command.
---@param text string
---@return string? words
---@return string? command
local function parts_of(text)
  if is_command(text) then
    return nil, text
  end
  local words, command = text:match("^(.-:) (.*)$")
  if words and is_command(command) then
    return words, command
  end
  local setting
  words, setting = text:match("^(.-:) (vim%.g%..*)$")
  return words or text, setting
end

--- Adds a finding, with its commands in fences, so that they can be yanked and pasted.
---@param lines string[]
---@param finding codex-chat.HealthFinding
local function add(lines, finding)
  local marks = { ok = "", info = "", warn = "! ", error = "✘ " }
  -- SECURITY: a message may hold names of files.
  lines[#lines + 1] = (marks[finding.level] .. finding.message):gsub("%c", " ")
  local commands = {}
  local function close()
    if #commands > 0 then
      lines[#lines + 1] = "```"
      vim.list_extend(lines, commands)
      lines[#lines + 1] = "```"
      lines[#lines + 1] = ""
      commands = {}
    end
  end
  for _, advice in ipairs(finding.level ~= "ok" and finding.advice or {}) do
    for text in vim.gsplit(advice, "\n") do
      local words, command = parts_of(text:gsub("%c", " "))
      if words then
        close()
        lines[#lines + 1] = words
      end
      if command then
        commands[#commands + 1] = command
      end
    end
  end
  close()
end

---@param found codex-chat.HealthFinding[]
---@return "ok"|"error"|"unknown"
local function state_of(found)
  local state = "unknown"
  for _, finding in ipairs(found) do
    if finding.level == "error" then
      return "error"
    elseif finding.level == "ok" then
      state = "ok"
    end
  end
  return state
end

local state_marks = { ok = "✔", error = "✘", unknown = "○" }

--- The page's text.
---@param found codex-chat.HealthFinding[]
---@param is_running boolean whether the host's checks are still under way
---@return string[]
function M.lines(found, is_running)
  local lines = {
    "# Set up codex-chat.nvim",
    "",
    is_running and "Checking this machine …"
      or "`gy` yanks the command under the cursor. `R` checks again, and so does coming back.",
  }
  local seen = {}
  local is_ready = not is_running
  ---@param heading string
  local function begin(heading)
    if lines[#lines] ~= "" then
      lines[#lines + 1] = ""
    end
    lines[#lines + 1] = heading
  end
  for number, step in ipairs(steps) do
    local own = vim.tbl_filter(function(finding)
      return (finding.step or finding.section) == step.key
    end, found)
    for _, finding in ipairs(own) do
      seen[finding] = true
    end
    local state = state_of(own)
    local is_open = state == "error" or state == "unknown" and not step.comes_by_itself
    is_ready = is_ready and not is_open
    begin(("## %s %d. %s"):format(state_marks[state], number, step.title))
    if state ~= "ok" then
      lines[#lines + 1] = step.about
    end
    for _, finding in ipairs(own) do
      add(lines, finding)
    end
    if not is_running and #own == 0 then
      lines[#lines + 1] = "It is checked once the steps before it are done."
    end
  end
  local rest = vim.tbl_filter(function(finding)
    return not seen[finding] and (finding.level == "warn" or finding.level == "error")
  end, found)
  if #rest > 0 then
    begin("## Also")
    for _, finding in ipairs(rest) do
      add(lines, finding)
    end
  end
  local mark = is_ready and "✔" or "○"
  begin(("## %s %d. A first question"):format(mark, #steps + 1))
  vim.list_extend(lines, {
    is_ready and "All is ready. This opens a conversation; write, and send with `<C-s>`:"
      or "Then this opens a conversation; write, and send with `<C-s>`:",
    "```",
    ":CodexChat",
    "```",
  })
  return lines
end

--- Yanks the command, or the block of commands, under the cursor.
---@param buf integer
local function yank(buf)
  local yanks = require("codex-chat.chat.keys.yank")
  local say = require("codex-chat.message")
  local row = api.nvim_win_get_cursor(0)[1] - 1
  local block = yanks.block_at(api.nvim_buf_get_lines(buf, 0, -1, false), row)
  if not block then
    return say.info("there is no command under the cursor.")
  end
  -- It is to be pasted into another terminal.
  yanks.put(block, "+")
  say.info(("yanked: %s"):format(table.concat(block, " ⏎ ")))
end

local mark_groups =
  { ["✔"] = "CodexChatDone", ["✘"] = "CodexChatFailed", ["!"] = "CodexChatWarning" }

--- Colours the marks, and the background of the commands.
---@param buf integer
---@param lines string[]
local function decorate(buf, lines)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  local at = { buf = buf, ns = ns, row = 0, lines = lines } ---@type codex-chat.Painter
  local is_inside = false
  for n, line in ipairs(lines) do
    local before, mark = line:match("^([# ]*)(%S+) ")
    if line:find("^```") then
      is_inside = not is_inside
    elseif is_inside then
      painter.band(at, n - 1, n, "CodexChatCodeLine")
    elseif mark_groups[mark] then
      painter.color(at, n - 1, #before, #before + #mark, mark_groups[mark], 200)
    end
  end
end

--- Shows the first step that is to be done, unless the user has moved in the page.
---@param buf integer
local function go_to_first(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if api.nvim_win_get_cursor(win)[1] == 1 then
      api.nvim_win_call(win, function()
        if vim.fn.search("^## ✘", "w") > 0 then
          vim.cmd("normal! zt")
        end
      end)
    end
  end
end

---@type table<integer, boolean> the pages whose checks are under way
local running = {}

--- Checks all steps and shows what was found; once at a time.
---@param buf integer
local function check(buf)
  if running[buf] then
    return
  end
  running[buf] = true
  local checks = require("codex-chat.host.checks")
  local root = require("codex-chat.project").root(require("codex-chat.project").cwd())
  require("codex-chat.outside").add(root)
  local found = checks.neovim()
  local host, argv = checks.host()
  vim.list_extend(found, host)
  local function finish(more)
    running[buf] = nil
    if not api.nvim_buf_is_loaded(buf) then
      return
    end
    local lines = M.lines(vim.list_extend(found, more), false)
    page.set(buf, lines)
    decorate(buf, lines)
    go_to_first(buf)
  end
  if not argv then
    return finish({})
  end
  if api.nvim_buf_line_count(buf) <= 1 then
    page.set(buf, M.lines(found, true))
  end
  checks.run(argv, root, finish)
end

--- Shows the page.
function M.show()
  require("codex-chat.highlight").setup()
  page.show({ "" }, "setup")
  local buf = api.nvim_get_current_buf()
  local function map(key, desc, run)
    vim.keymap.set("n", key, run, { buffer = buf, nowait = true, desc = "codex-chat: " .. desc })
  end
  map("R", "check again", function()
    check(buf)
  end)
  map("gy", "yank the command under the cursor", function()
    yank(buf)
  end)
  local group = api.nvim_create_augroup("codex-chat.setup", { clear = true })
  api.nvim_create_autocmd("BufEnter", {
    group = group,
    buffer = buf,
    callback = function()
      check(buf)
    end,
  })
  -- The command may have run in another terminal.
  api.nvim_create_autocmd("FocusGained", {
    group = group,
    callback = function()
      if #vim.fn.win_findbuf(buf) > 0 then
        check(buf)
      end
    end,
  })
  api.nvim_create_autocmd("BufWipeout", {
    group = group,
    buffer = buf,
    callback = function()
      running[buf] = nil
      api.nvim_del_augroup_by_id(group)
    end,
  })
  check(buf)
end

return M
