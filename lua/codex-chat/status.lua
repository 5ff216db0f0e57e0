--- What the chat says about itself: the winbar, the hint in the empty prompt, highlight groups.
local M = {}

local registry = require("codex-chat.registry")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.hint")

local groups = {
  CodexChatHint = "Comment",
  CodexChatRunning = "DiagnosticInfo",
  CodexChatQueued = "Comment",
  CodexChatFailed = "DiagnosticError",
  CodexChatWaiting = "DiagnosticWarn",
  CodexChatKey = "Special",
  CodexChatKeyText = "Comment",
}

--- Links our highlight groups to the colour scheme's; a user's own definition stays.
function M.set_groups()
  for name, link in pairs(groups) do
    api.nvim_set_hl(0, name, { link = link, default = true })
  end
end

local phases = {
  idle = { "ready", nil },
  starting = { "starting", "CodexChatRunning" },
  running = { "working", "CodexChatRunning" },
  waiting = { "waiting for you", "CodexChatWaiting" },
  failed = { "failed", "CodexChatFailed" },
}

---@param phase string
---@return boolean
local function is_busy(phase)
  return phase == "starting" or phase == "running" or phase == "waiting"
end

--- 950 → "950", 12 300 → "12.3k".
---@param n integer
---@return string
local function short(n)
  if n < 1000 then
    return tostring(n)
  elseif n < 99950 then
    return ("%.1fk"):format(n / 1000)
  elseif n < 999500 then
    return ("%.0fk"):format(n / 1000)
  end
  return ("%.1fM"):format(n / 1e6)
end

---@param seconds integer
---@return string
local function span(seconds)
  if seconds < 60 then
    return seconds .. "s"
  end
  return ("%dm%02ds"):format(math.floor(seconds / 60), seconds % 60)
end

---@param tokens { last?: integer, total?: integer, window?: integer }?
---@return string?
local function token_text(tokens)
  if not tokens then
    return nil
  end
  local used = tokens.last or tokens.total
  if not used then
    return nil
  end
  if tokens.window and tokens.window > 0 then
    return ("%s tokens, %d%%"):format(short(used), math.floor(100 * used / tokens.window + 0.5))
  end
  return short(used) .. " tokens"
end

--- SECURITY: parts come from the host and name what a model or user chose; `%` would be evaluated.
---@param text string
---@return string
local function plain(text)
  return (text:gsub("%c", " "):gsub("%%", "%%%%"))
end

--- The winbar's text for a window of this width: what matters least goes first.
---@param chat codex-chat.Chat
---@param width integer
---@return string
function M.winbar(chat, width)
  local state = chat.state
  local phase = phases[state.phase] or { state.phase, nil }
  local now = phase[1]
  -- While the user is waited for, the clock says nothing of Codex.
  if is_busy(state.phase) and state.phase ~= "waiting" and chat.began then
    now = now .. " " .. span(math.floor((vim.uv.now() - chat.began) / 1000))
  end
  local parts = {
    { text = state.model, rank = 3 },
    { text = now, rank = 1, group = phase[2] },
    { text = state.detail, rank = 5 },
    { text = (state.queued or 0) > 0 and (state.queued .. " queued") or nil, rank = 4 },
    { text = state.sandbox, rank = 2 },
    { text = token_text(state.tokens), rank = 6 },
    { text = state.note, rank = 7 },
  }
  local separator = " · "
  local function total(limit)
    local sum, count = 2, 0
    for i = 1, 7 do
      local part = parts[i]
      if part.text and part.text ~= "" and part.rank <= limit then
        sum = sum + api.nvim_strwidth(part.text)
        count = count + 1
      end
    end
    return sum + math.max(0, count - 1) * 3
  end
  local limit = 7
  while limit > 1 and total(limit) > width do
    limit = limit - 1
  end
  local shown = {}
  for i = 1, 7 do
    local part = parts[i]
    if part.text and part.text ~= "" and part.rank <= limit then
      local text = plain(part.text)
      shown[#shown + 1] = part.group and ("%%#%s#%s%%*"):format(part.group, text) or text
    end
  end
  return " " .. table.concat(shown, separator) .. " %<"
end

--- Shows the state in every window of the chat.
---@param chat codex-chat.Chat
function M.show(chat)
  for _, win in ipairs(registry.wins(chat.buf)) do
    local text = M.winbar(chat, api.nvim_win_get_width(win))
    if vim.wo[win].winbar ~= text then
      vim.wo[win][0].winbar = text
    end
  end
end

---@type uv.uv_timer_t?
local timer

--- Runs the clock while a turn runs, and only then.
local function keep_time()
  local busy = vim.iter(registry.all()):any(function(chat)
    return is_busy(chat.state.phase)
  end)
  if busy and not timer then
    timer = assert(vim.uv.new_timer())
    timer:start(
      1000,
      1000,
      vim.schedule_wrap(function()
        for _, chat in ipairs(registry.all()) do
          if is_busy(chat.state.phase) then
            M.show(chat)
          end
        end
        keep_time()
      end)
    )
  elseif not busy and timer then
    timer:stop()
    timer:close()
    timer = nil
  end
end

--- Takes over what the host says of the conversation.
---@param chat codex-chat.Chat
---@param state codex-chat.State
function M.set(chat, state)
  if is_busy(state.phase) and not is_busy(chat.state.phase) then
    chat.began = vim.uv.now()
  elseif not is_busy(state.phase) then
    chat.began = nil
  end
  -- What does not change with every message is kept from the last one that had it.
  chat.state = vim.tbl_extend("force", {
    model = chat.state.model,
    sandbox = chat.state.sandbox,
    tokens = chat.state.tokens,
  }, state)
  M.show(chat)
  M.hint(chat)
  keep_time()
end

--- Shows in an empty prompt what to do.
---@param chat codex-chat.Chat
---@param inserting? boolean whether the user is in insert mode; found out where not given
function M.hint(chat, inserting)
  local buf = chat.buf
  if not require("codex-chat.prompt").is_empty(chat) then
    if chat.hint then
      api.nvim_buf_del_extmark(buf, ns, chat.hint)
      chat.hint = nil
    end
    return
  end
  local keys = require("codex-chat.config").get().keys
  local words = "Ask Codex …"
  if chat.state.phase == "failed" then
    words = "Retry or ask again …"
  elseif is_busy(chat.state.phase) then
    words = "Steer Codex …"
  end
  if inserting == nil then
    inserting = api.nvim_get_current_buf() == buf and vim.fn.mode():sub(1, 1) == "i"
  end
  local key = inserting and keys.send_insert or keys.send
  if key then
    words = ("%s  %s sends"):format(words, key)
  end
  local last = api.nvim_buf_line_count(buf) - 1
  chat.hint = api.nvim_buf_set_extmark(buf, ns, last, 0, {
    id = chat.hint,
    virt_text = { { words, "CodexChatHint" } },
    virt_text_pos = "overlay",
    virt_text_hide = true,
  })
end

return M
