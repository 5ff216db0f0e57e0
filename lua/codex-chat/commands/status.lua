--- `:CodexChat status` and `:CodexChat mcp`: pages about the conversation and its MCP servers.
local M = {}

local page = require("codex-chat.ui.page")
local say = require("codex-chat.message")

---@param n integer
---@return string 12345 → "12,345"
local function grouped(n)
  return (tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

---@param servers codex-chat.McpServer[]
---@return string[]
local function server_lines(servers)
  local lines = {}
  for _, server in ipairs(servers) do
    table.sort(server.tools)
    local tools = #server.tools == 0 and "" or (": " .. table.concat(server.tools, ", "))
    -- SECURITY: names and errors are the server's text.
    lines[#lines + 1] = (
      ("- **%s** · %s%s"):format(server.name, server.state, tools):gsub("%c", " ")
    )
  end
  return lines
end

---@param usage codex-chat.Usage?
---@return string
local function usage_text(usage)
  if not usage then
    return "none yet"
  end
  local window = usage.window
      and usage.window > 0
      and (" (%d%% of the window of %s)"):format(
        math.floor(100 * usage.last / usage.window + 0.5),
        grouped(usage.window)
      )
    or ""
  return ("%s in the last turn%s, %s in all"):format(
    grouped(usage.last),
    window,
    grouped(usage.total)
  )
end

---@param minutes number?
---@return string the period of a rate limit
local function span_text(minutes)
  if not minutes then
    return "the period"
  end
  for _, unit in ipairs({ { 1440, "day" }, { 60, "hour" } }) do
    if minutes >= unit[1] and minutes % unit[1] == 0 then
      local n = minutes / unit[1]
      return n == 1 and unit[2] or ("%d %ss"):format(n, unit[2])
    end
  end
  return ("%d minutes"):format(minutes)
end

---@param limits codex-chat.UsageLimit[]
---@return string
local function limits_text(limits)
  local texts = vim.tbl_map(function(limit)
    local span = span_text(limit.windowDurationMins)
    local text = ("%d%% used of %s"):format(math.floor(limit.usedPercent + 0.5), span)
    local at = limit.resetsAt
    -- A time that no clock can show is left out.
    if at and at > 0 and at < 2 ^ 31 then
      text = text .. os.date(", renewed %a %H:%M", at)
    end
    return text
  end, limits)
  return #texts == 0 and "unknown" or table.concat(texts, "; ")
end

---@param chat codex-chat.Chat
---@param status codex-chat.ConversationStatus
---@return string[]
local function lines_of(chat, status)
  local short = function(path)
    return vim.fn.fnamemodify(path, ":~")
  end
  local name = require("codex-chat.buffer.name").of(chat)
  local lines = { "# " .. (name or vim.fs.basename(chat.path)):gsub("%c", " "), "" }
  local function add(label, value)
    if value and value ~= "" then
      lines[#lines + 1] = (("- **%s** %s"):format(label, value):gsub("%c", " "))
    end
  end
  add("Project", short(chat.root))
  add("File", short(chat.path))
  add("Thread", status.thread)
  add("State", chat.state.phase .. (chat.state.detail and (": " .. chat.state.detail) or ""))
  local waits = #require("codex-chat.ui.waiting").all()
  if waits > 0 then
    local what = waits == 1 and "question waits" or "questions wait"
    add("Waiting", ("%d %s for you: `:CodexChat question` goes there"):format(waits, what))
  end
  add("Model", status.model .. (status.effort ~= "" and (", effort " .. status.effort) or ""))
  add("Mode", status.plan and "plan: nothing is changed" or "work")
  add("Endpoint", status.endpoint)
  add("Authorized by", status.credential)
  add("Approvals", status.approvals)
  add("Sandbox", status.running and status.sandbox or "not running; the next message starts it")
  add("Tokens", usage_text(status.usage))
  add("Rate limits", limits_text(status.limits or {}))
  if #status.instructions > 0 then
    add("Instructions", table.concat(vim.tbl_map(short, status.instructions), ", "))
  end
  if #status.refused > 0 then
    local hosts = vim.tbl_map(function(refused)
      return ("%s (%d)"):format(refused.host, refused.times)
    end, status.refused)
    add("Refused hosts", table.concat(hosts, ", "))
  end
  local hosts = require("codex-chat.commands.network").summary(status.network)
  add("Network", hosts == "" and "only the model's" or ("the model's, and " .. hosts))
  if #status.servers > 0 then
    vim.list_extend(lines, { "", "## MCP servers", "" })
    vim.list_extend(lines, server_lines(status.servers))
  end
  return lines
end

--- Shows the state of the conversation.
---@param chat codex-chat.Chat
function M.show(chat)
  require("codex-chat.host.request").run(chat, "status/read", {}, function(status, err)
    if err then
      say.error(err)
    else
      page.show(lines_of(chat, status), "status")
    end
  end)
end

--- Shows the MCP servers and their tools.
---@param chat codex-chat.Chat
function M.servers(chat)
  require("codex-chat.host.request").run(chat, "mcp/list", {}, function(servers, err)
    if err then
      say.error(err)
    elseif #servers == 0 then
      say.info("no MCP server is configured (mcp_servers).")
    else
      page.show(vim.list_extend({ "# MCP servers", "" }, server_lines(servers)), "mcp")
    end
  end)
end

return M
