--- A conversation's state as text, and as one line for statuslines.
---
--- A statusline is drawn far more often than a conversation changes, so nothing here looks at files
--- or walks over windows: results are kept until they may have changed.
local M = {}

local registry = require("codex-chat.registry")
local status = require("codex-chat.status")

local api = vim.api

local phases = {
  idle = "ready",
  starting = "starting",
  running = "working",
  waiting = "waiting for you",
  failed = "failed",
}

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

--- 75 → "1m15s".
---@param seconds integer
---@return string
function M.span(seconds)
  if seconds < 60 then
    return seconds .. "s"
  elseif seconds < 3600 then
    return ("%dm%02ds"):format(math.floor(seconds / 60), seconds % 60)
  end
  return ("%dh%02dm"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

--- "working 12s": the phase, and for how long.
---@param chat codex-chat.Chat
---@return string
function M.phase_text(chat)
  local phase = chat.state.phase
  local words = phases[phase] or phase
  local seconds = status.elapsed(chat)
  -- While Codex waits for the user, its time does not matter.
  if seconds and status.is_busy(phase) and phase ~= "waiting" then
    words = words .. " " .. M.span(seconds)
  end
  return words
end

--- "12.3k tokens, 5%": the tokens of the last request, and their part of the context window.
---@param tokens codex-chat.Tokens?
---@return string?
function M.token_text(tokens)
  local used = tokens and (tokens.last or tokens.total)
  if not tokens or not used then
    return nil
  end
  if tokens.window and tokens.window > 0 then
    return ("%s tokens, %d%%"):format(short(used), math.floor(100 * used / tokens.window + 0.5))
  end
  return short(used) .. " tokens"
end

--- SECURITY: parts come from the host and hold text of the model or the user; `%` would be evaluated.
---@param text string
---@return string
function M.escape(text)
  return (text:gsub("%c", " "):gsub("%%", "%%%%"))
end

---@type table<string, string> project roots, by name of buffer and working directory
local roots = {}

--- Drops what was kept, as after a conversation was opened or has changed.
function M.forget()
  roots = {}
end

--- The conversation for the statusline of the current window.
---@return codex-chat.Chat?
function M.here()
  local chat = registry.get(0)
  if chat or registry.is_empty() then
    return chat
  end
  local key = api.nvim_buf_get_name(0) .. "\0" .. vim.fn.getcwd()
  roots[key] = roots[key] or require("codex-chat.project").of_buf().root
  return registry.current(roots[key])
end

--- "2 questions elsewhere": the questions of other conversations.
---@param chat? codex-chat.Chat
---@return string?
local function elsewhere_text(chat)
  local count = status.questions_elsewhere(chat)
  return count > 0 and ("%d question%s elsewhere"):format(count, count == 1 and "" or "s") or nil
end

local parts = {
  phase = function(chat)
    return M.phase_text(chat)
  end,
  queued = function(chat)
    local queued = chat.state.queued or 0
    return queued > 0 and (queued .. " queued") or nil
  end,
  tokens = function(chat)
    return M.token_text(chat.state.tokens)
  end,
  model = function(chat)
    return chat.state.model
  end,
  sandbox = function(chat)
    return chat.state.sandbox
  end,
  waiting = function(chat)
    return elsewhere_text(chat)
  end,
}

--- One line, for `%{%…%}` in a statusline; empty if no conversation of the project is open, unless
--- another one has a question.
---@param opts? codex-chat.StatuslineOpts
---@return string
function M.statusline(opts)
  local chat = M.here()
  opts = opts or {}
  local names = opts.parts or { "phase", "queued", "waiting" }
  local words = {}
  if not chat then
    local text = not registry.is_empty()
      and vim.list_contains(names, "waiting")
      and elsewhere_text()
    return text and M.escape((opts.prefix or "codex ") .. text) or ""
  end
  for _, name in ipairs(names) do
    local part = parts[name]
    if not part then
      error(("codex-chat: a statusline has no part `%s`"):format(tostring(name)))
    end
    local text = part(chat)
    if text and text ~= "" then
      words[#words + 1] = text
    end
  end
  return M.escape((opts.prefix or "codex ") .. table.concat(words, " · "))
end

local is_scheduled = false

--- Redraws all statuslines after this tick, once for any number of changes.
function M.redraw()
  if is_scheduled then
    return
  end
  is_scheduled = true
  vim.schedule(function()
    is_scheduled = false
    -- Messages that wait for a key own the screen; Neovim redraws it afterwards.
    if not api.nvim_get_mode().mode:match("^r") then
      vim.cmd("redrawstatus!")
    end
  end)
end

return M
