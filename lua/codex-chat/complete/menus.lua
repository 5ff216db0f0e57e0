--- Completion plugins: whether one of them uses our source, and whether a menu is open.
---
--- No plugin is loaded here: only those that the user has loaded count.
local M = {}

local api = vim.api

--- The name of our source where we add it.
local NAME = "codex_chat"

--- Puts mentions above words of the text, which the same letters match. Only what was typed behind one of
--- our marks has such items, so there nothing else is meant.
local FIRST = 100

--- How long an open menu defers the host's edits, in ms. A menu remembers its row by number, and
--- accepting an item after lines were inserted above would write elsewhere; but an answer must go on.
local MAX_OPEN_MS = 20000
--- How long after a key a menu may still open, and how long typing defers edits because of that.
local SETTLE_MS, MAX_SETTLE_MS = 250, 1000
--- How often to check whether the menu has closed, which not every plugin reports.
local LOOK_MS = 50

---@param value any
---@return boolean
local function is_true(value)
  if type(value) == "function" then
    local ok, given = pcall(value)
    return ok and given ~= false and given ~= nil
  end
  return value ~= false and value ~= nil
end

--- The name of our source in blink.cmp's configuration.
---@param providers table<string, table>
---@return string?
local function in_blink(providers)
  for name, provider in pairs(providers) do
    local module = type(provider) == "table" and provider.module
    if type(module) == "string" and vim.startswith(module, "codex-chat.") then
      return name
    end
  end
end

--- Whether blink.cmp uses our source in the current buffer, which is a chat. If it is active there
--- without our source, the source is added.
---@return boolean
local function blink_serves()
  local blink = package.loaded["blink.cmp"]
  local sources = package.loaded["blink.cmp.sources.lib"]
  local config = package.loaded["blink.cmp.config"]
  local trigger = package.loaded["blink.cmp.completion.trigger"]
  -- Without a trigger it is loaded but not set up.
  if not (blink and sources and config and trigger and trigger.buffer_events) then
    return false
  end
  -- Its first version has this only in the configuration.
  local enabled = blink.is_enabled or config.enabled
  if not is_true(enabled) then
    return false
  end
  local providers = config.sources.providers
  local name = in_blink(providers)
  if not name then
    blink.add_source_provider(NAME, {
      name = "Codex",
      module = "codex-chat.complete.blink",
      score_offset = FIRST,
    })
    name = NAME
  end
  if not vim.list_contains(sources.get_enabled_provider_ids("default"), name) then
    blink.add_filetype_source("codexchat", name)
  end
  return vim.list_contains(sources.get_enabled_provider_ids("default"), name)
end

--- The same for nvim-cmp.
---@return boolean
local function cmp_serves()
  local cmp = package.loaded["cmp"]
  local config = package.loaded["cmp.config"]
  if not (cmp and config and cmp.core) then
    return false
  end
  local now = config.get()
  if not is_true(now.enabled) then
    return false
  end
  local ours = require("codex-chat.complete.cmp")
  local name
  for _, source in ipairs(cmp.get_registered_sources()) do
    name = getmetatable(source.source) == ours and source.name or name
  end
  if not name then
    name = NAME
    cmp.register_source(name, ours.new())
  end
  local function has(sources)
    return vim.iter(sources or {}):any(function(source)
      return source.name == name
    end)
  end
  if not has(now.sources) then
    local own = vim.tbl_extend("force", {}, config.buffers[api.nvim_get_current_buf()] or {})
    own.sources = vim.list_extend({ { name = name } }, now.sources or {})
    cmp.setup.buffer(own)
  end
  return has(config.get().sources)
end

--- Whether another plugin completes in the current buffer, a chat, with our source.
---
--- A plugin that fails counts as absent: then we complete ourselves.
---@return boolean
function M.serves()
  for _, serves in ipairs({ blink_serves, cmp_serves }) do
    local ok, does = pcall(serves)
    if ok and does then
      return true
    end
  end
  return false
end

--- Whether a completion menu is on the screen.
---@return boolean
function M.is_shown()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  local blink = package.loaded["blink.cmp"]
  if blink and package.loaded["blink.cmp.completion.windows.menu"] then
    local ok, shown = pcall(blink.is_menu_visible)
    if ok and shown then
      return true
    end
  end
  local core = (package.loaded["cmp"] or {}).core
  -- Not cmp.visible(): it waits for what is still being matched.
  local ok, shown = pcall(function()
    return core.view:visible()
  end)
  return ok and shown == true
end

---@type { opened?: integer, typed?: integer, held?: integer } milliseconds of vim.uv.now()
local state = {}

--- Whether edits of this buffer must wait, because a completion menu is open there or may open in a
--- moment. Never for long: see the bounds above.
---@param buf integer
---@return boolean
function M.is_open(buf)
  if api.nvim_get_current_buf() ~= buf or not api.nvim_get_mode().mode:match("^[iR]") then
    state = {}
    return false
  end
  local now = vim.uv.now()
  if M.is_shown() then
    state.opened = state.opened or now
    return now - state.opened < MAX_OPEN_MS
  end
  state.opened = nil
  if not state.typed or now - state.typed >= SETTLE_MS then
    state.held = nil
    return false
  end
  state.held = state.held or now
  if now - state.held >= MAX_SETTLE_MS then
    state.typed, state.held = nil, nil
    return false
  end
  return true
end

--- Calls `resume` regularly while a menu defers edits, until it returns true.
---@param buf integer
---@param resume fun(): boolean
function M.watch(buf, resume)
  if not M.is_open(buf) then
    return
  end
  local timer = assert(vim.uv.new_timer())
  timer:start(
    LOOK_MS,
    LOOK_MS,
    vim.schedule_wrap(function()
      if not timer:is_closing() and resume() then
        timer:close()
      end
    end)
  )
end

--- Adds our source to a completion plugin before the first key, and remembers when keys are typed.
---@param chat codex-chat.Chat
function M.attach(chat)
  api.nvim_create_autocmd("InsertEnter", {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      -- After the plugins that load on this event.
      vim.schedule(function()
        local auto = require("codex-chat.config").get().completion.auto
        if auto and api.nvim_get_current_buf() == chat.buf then
          M.serves()
        end
      end)
    end,
  })
  api.nvim_create_autocmd("InsertCharPre", {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      -- Our own menu and Neovim's open at once.
      if package.loaded["blink.cmp"] or package.loaded["cmp"] then
        state.typed = vim.uv.now()
      end
    end,
  })
end

require("codex-chat.buffer.defer_edits").menus = { is_open = M.is_open, watch = M.watch }

return M
