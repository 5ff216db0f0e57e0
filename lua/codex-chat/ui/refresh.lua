--- Shows a conversation's state again, everywhere that it is shown.
local M = {}

local events = require("codex-chat.events")
local hint = require("codex-chat.ui.hint")
local registry = require("codex-chat.registry")
local status = require("codex-chat.status")
local statusline = require("codex-chat.ui.statusline")
local winbar = require("codex-chat.ui.winbar")

---@type uv.uv_timer_t?
local timer

--- Runs the clock while a turn runs, and only then.
local function keep_time()
  local busy = vim.iter(registry.all()):any(function(chat)
    return status.is_busy(chat.state.phase)
  end)
  if busy and not timer then
    timer = assert(vim.uv.new_timer())
    timer:start(
      1000,
      1000,
      vim.schedule_wrap(function()
        for _, chat in ipairs(registry.all()) do
          if status.is_busy(chat.state.phase) then
            winbar.show(chat)
          end
        end
        statusline.redraw()
        keep_time()
      end)
    )
  elseif not busy and timer then
    timer:stop()
    timer:close()
    timer = nil
  end
end

--- Something that statuslines and the winbar show has changed.
---@param chat codex-chat.Chat
function M.show(chat)
  statusline.forget()
  winbar.show(chat)
  statusline.redraw()
end

local is_watching = false

--- Begins to follow the states of conversations. Idempotent.
function M.begin()
  if is_watching then
    return
  end
  is_watching = true
  events.hook("StateChanged", function(data)
    local chat = registry.get(data.buf)
    if not chat then
      return
    end
    M.show(chat)
    if vim.api.nvim_buf_is_loaded(chat.buf) then
      hint.show(chat)
    end
    keep_time()
  end)
end

return M
