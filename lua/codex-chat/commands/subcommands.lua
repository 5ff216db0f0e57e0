--- What each subcommand of `:CodexChat` does, what it completes, and what it takes.
local M = {}

local say = require("codex-chat.message")

---@class (exact) codex-chat.Subcommand
---@field run fun(args: vim.api.keyset.create_user_command.command_args, rest: string)
---@field complete? string[]|fun(lead: string): string[]
---@field range? boolean
---@field bang? boolean whether it takes `!`: for all projects, from now on, or without a question

---@return codex-chat.Chat?
local function here()
  local chat = require("codex-chat.project").current_chat()
  if not chat then
    say.info("no conversation is open. :CodexChat opens one.")
  end
  return chat
end

---@param method string
local function notify(method)
  local chat = here()
  if chat then
    require("codex-chat.host").notify(chat, method, {})
  end
end

--- Calls a function of a module with the chat.
---@param module string
---@param fn string
---@param ... any
local function with_chat(module, fn, ...)
  local chat = here()
  if chat then
    require(module)[fn](chat, ...)
  end
end

--- Sends the prompt of the current conversation.
---@param mode "steer"|"queue"
function M.send(mode)
  local chat = here()
  if chat then
    require("codex-chat.commands.query.send").send(chat, mode)
  end
end

--- Shows a project's conversation, in the window of the current conversation.
---@param project codex-chat.Project
local function open_in_place(project)
  local chats = require("codex-chat.chat")
  local shown = require("codex-chat.registry").get(0)
  local chat = chats.latest(project)
  if shown and shown ~= chat and not require("codex-chat.ui.window").find(chat.buf) then
    local win = vim.api.nvim_get_current_win()
    vim.api.nvim_win_set_buf(win, chat.buf)
    require("codex-chat.prompt").enter(chat, win)
  end
  chats.show(chat)
end

---@type table<string, codex-chat.Subcommand>
M.by_name = {
  open = {
    complete = function(lead)
      return vim.fn.getcompletion(lead, "dir")
    end,
    run = function(_, rest)
      if rest ~= "" then
        local project, err = require("codex-chat.project").name(rest)
        if not project then
          say.error(assert(err))
          return
        end
        open_in_place(project)
        return
      end
      require("codex-chat.chat").open()
    end,
  },
  new = {
    run = function()
      require("codex-chat.chat").new()
    end,
  },
  toggle = {
    run = function()
      require("codex-chat.chat").toggle()
    end,
  },
  stop = {
    run = function()
      notify("turn/interrupt")
    end,
  },
  send = {
    range = true,
    run = function(args, rest)
      if args.range > 0 then
        require("codex-chat.commands.query.selection").send_range(args.line1, args.line2, rest)
      elseif rest ~= "" then
        local projects = require("codex-chat.project")
        local chat = projects.current_chat() or require("codex-chat.chat").latest(projects.of_buf())
        require("codex-chat.prompt.ask").ask(chat, rest)
      else
        M.send("steer")
      end
    end,
  },
  accept = {
    run = function()
      require("codex-chat.approval").answer("accept")
    end,
  },
  ["accept-session"] = {
    run = function()
      require("codex-chat.approval").answer("accept_session")
    end,
  },
  ["accept-project"] = {
    run = function()
      require("codex-chat.approval").answer("accept_project")
    end,
  },
  answer = {
    run = function(_, rest)
      require("codex-chat.approval").answer_with(rest)
    end,
  },
  decline = {
    run = function(_, rest)
      require("codex-chat.approval").answer("decline", rest ~= "" and rest or nil)
    end,
  },
  cancel = {
    run = function()
      require("codex-chat.approval").answer("cancel")
    end,
  },
  retry = {
    run = function()
      notify("turn/retry")
    end,
  },
  fork = {
    run = function()
      with_chat("codex-chat.commands.query.fork", "fork")
    end,
  },
  revert = {
    run = function()
      with_chat("codex-chat.commands.query.fork", "revert")
    end,
  },
  undo = {
    complete = { "turn", "since" },
    run = function(_, rest)
      with_chat("codex-chat.commands.changes.undo", "undo", rest)
    end,
  },
  redo = {
    run = function()
      with_chat("codex-chat.commands.changes.undo", "redo")
    end,
  },
  compact = {
    run = function()
      local chat = here()
      if chat then
        require("codex-chat.host.request").run(chat, "thread/compact")
      end
    end,
  },
  diff = {
    complete = function()
      return require("codex-chat.commands.changes.diff").words
    end,
    run = function(_, rest)
      with_chat("codex-chat.commands.changes.diff", "run", rest)
    end,
  },
  review = {
    range = true,
    complete = function()
      local decisions = require("codex-chat.commands.changes.diff").decisions
      return vim.list_extend({ "uncommitted", "base", "commit" }, decisions)
    end,
    run = function(args, rest)
      local range = args.range > 0 and { args.line1, args.line2 } or nil
      if require("codex-chat.commands.changes.diff").decide(rest, range) then
        return
      elseif range then
        say.error("a review by Codex takes no range.")
        return
      end
      with_chat("codex-chat.commands.review", "start", rest)
    end,
  },
  model = {
    bang = true,
    run = function(args, rest)
      with_chat("codex-chat.commands.model", "choose", rest, args.bang)
    end,
  },
  approvals = {
    complete = { "never", "on-request", "untrusted" },
    run = function(_, rest)
      with_chat("codex-chat.commands.approvals", "choose", rest)
    end,
  },
  plan = {
    complete = { "on", "off" },
    run = function(_, rest)
      with_chat("codex-chat.commands.model", "plan", rest)
    end,
  },
  goal = {
    complete = { "pause", "resume", "clear" },
    run = function(_, rest)
      with_chat("codex-chat.commands.goal", "set", rest)
    end,
  },
  commits = {
    complete = { "copy", "log" },
    run = function(_, rest)
      with_chat("codex-chat.commands.changes.commits", "run", rest)
    end,
  },
  terminals = {
    run = function()
      with_chat("codex-chat.commands.terminals", "pick")
    end,
  },
  diagnostics = {
    range = true,
    run = function(args, rest)
      local line = vim.api.nvim_win_get_cursor(0)[1]
      local first = args.range > 0 and args.line1 or line
      local last = args.range > 0 and args.line2 or line
      require("codex-chat.commands.query.diagnostics").send(first, last, rest)
    end,
  },
  preview = {
    run = function(_, rest)
      local chat = here()
      if chat then
        require("codex-chat.commands.query.preview").show(chat, rest)
      end
    end,
  },
  prompt = {
    range = true,
    complete = function()
      return require("codex-chat.prompt.templates").names()
    end,
    run = function(args, rest)
      require("codex-chat.commands.query.template").run(args, rest)
    end,
  },
  threads = {
    complete = function()
      return require("codex-chat.threads").tasks
    end,
    bang = true,
    run = function(args, rest)
      require("codex-chat.threads").pick(rest, args.bang)
    end,
  },
  search = {
    bang = true,
    run = function(args, rest)
      require("codex-chat.threads").search(rest, args.bang)
    end,
  },
  rename = {
    run = function(_, rest)
      require("codex-chat.threads").current("rename", rest)
    end,
  },
  archive = {
    run = function()
      require("codex-chat.threads").current("archive", "")
    end,
  },
  unarchive = {
    run = function()
      require("codex-chat.threads").current("unarchive", "")
    end,
  },
  delete = {
    bang = true,
    run = function(args)
      require("codex-chat.threads").current("delete", "", args.bang)
    end,
  },
  patch = {
    run = function()
      require("codex-chat.review.patch").open()
    end,
  },
  help = {
    run = function()
      require("codex-chat.commands.help").show(vim.tbl_keys(M.by_name))
    end,
  },
  setup = {
    run = function()
      require("codex-chat.commands.setup").show()
    end,
  },
  question = {
    run = function()
      require("codex-chat.commands.question").go()
    end,
  },
  status = {
    run = function()
      with_chat("codex-chat.commands.status", "show")
    end,
  },
  network = {
    complete = function()
      return require("codex-chat.commands.network").entries()
    end,
    run = function(_, rest)
      with_chat("codex-chat.commands.network", "run", rest)
    end,
  },
  mcp = {
    run = function()
      with_chat("codex-chat.commands.status", "servers")
    end,
  },
  login = {
    complete = { "browser", "device", "cancel" },
    run = function(_, rest)
      with_chat("codex-chat.commands.login", "start", rest)
    end,
  },
  logout = {
    run = function()
      with_chat("codex-chat.commands.login", "stop")
    end,
  },
  log = {
    complete = { "audit" },
    bang = true,
    run = function(args, rest)
      require("codex-chat.commands.log").show(rest, args.bang)
    end,
  },
  sandbox = {
    bang = true,
    complete = function()
      return require("codex-chat.commands.sandbox").words
    end,
    run = function(args, rest)
      with_chat("codex-chat.commands.sandbox", "run", rest, args.bang)
    end,
  },
}

return M
