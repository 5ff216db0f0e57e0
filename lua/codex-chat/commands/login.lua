--- `:CodexChat login` and `logout`: Codex's own login, which the host runs in the plugin's directory.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

--- A browser on another machine cannot reach this one's loopback address.
---@return "browser"|"device"
local function usual_way()
  local is_remote = vim.env.SSH_CONNECTION or vim.env.SSH_TTY
  return is_remote and "device" or "browser"
end

---@param task codex-chat.LoginTask
---@return string[]
local function lines_of(task)
  local lines =
    { "# Log in to ChatGPT", "", "Open this address and log in there:", "", task.url, "" }
  if task.code then
    vim.list_extend(lines, { ("Then enter this code: **%s**"):format(task.code), "" })
  end
  return vim.list_extend(lines, {
    "Continue only if you started this yourself. The login stays on this machine, in a directory",
    "of the plugin that no sandbox sees. `:CodexChat login cancel` cancels it.",
  })
end

---@param url string
local function open(url)
  local err = require("codex-chat.outside.programs").open(url)
  if err then
    say.error(("the browser could not be started: %s. Open the address yourself."):format(err))
  end
end

--- Shows the address, and opens it if the user agrees.
---@param task codex-chat.LoginTask
---@return integer buf of the page
local function show(task)
  require("codex-chat.ui.page").show(lines_of(task), "login")
  local buf = vim.api.nvim_get_current_buf()
  local choices = { "Open it in the browser", "Copy the address", "Neither" }
  local prompt = "Log in to ChatGPT: " .. task.url:match("^%a+://[^/]*")
  vim.ui.select(choices, { prompt = prompt }, function(_, index)
    if index == 1 then
      open(task.url)
    elseif index == 2 then
      require("codex-chat.outside.programs").copy(task.url)
    end
  end)
  return buf
end

---@param who codex-chat.LoginState
---@return string
local function welcome(who)
  local name = who.email ~= "" and who.email or "an account"
  local plan = who.plan ~= "" and (" (" .. who.plan .. ")") or ""
  local how = who.isUsed and "." or '. Set `auth = "login"` in the configuration to use it.'
  return ("logged in as %s%s%s"):format(name, plan, how)
end

--- Starts a login and follows it to its end.
---@param chat codex-chat.Chat
---@param way string "browser", "device", "cancel", or "" for the usual one
function M.start(chat, way)
  if way == "cancel" then
    action.run(chat, "login/cancel")
    return
  end
  if way ~= "" and way ~= "browser" and way ~= "device" then
    say.error("`:CodexChat login` takes browser, device or cancel.")
    return
  end
  say.info("starting Codex's login…")
  action.run(chat, "login/start", { way = way == "" and usual_way() or way }, function(task, err)
    if err then
      say.error(err)
      return
    end
    local buf = show(task)
    action.run(chat, "login/finish", {}, function(who, failure)
      if vim.api.nvim_buf_is_valid(buf) then
        vim.api.nvim_buf_delete(buf, { force = true })
      end
      if failure then
        say.error(failure)
      else
        say.info(welcome(who))
      end
    end)
  end)
end

--- Ends the login, here and at the service.
---@param chat codex-chat.Chat
function M.stop(chat)
  action.run(chat, "login/end", {}, function(ended, err)
    if err then
      say.error(err)
    else
      say.info(ended.was ~= "" and ("logged out " .. ended.was .. ".") or "you are not logged in.")
    end
  end)
end

return M
