--- Highlights for a moment the lines that a reload has changed.
local M = {}

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.reload.flash")
local shown_ms = 1000
--- Beyond this the screen is only a blaze.
local max_ranges = 200

---@type table<integer, uv.uv_timer_t> by buffer
local timers = {}

--- Defines the group: a colour scheme may have removed it since.
function M.define()
  api.nvim_set_hl(0, "CodexChatReloaded", { link = "Visual", default = true })
end

--- Highlights lines in windows that show the buffer.
---@param buf integer
---@param ranges { [1]: integer, [2]: integer }[] first row and count, 0-based
function M.show(buf, ranges)
  if #ranges == 0 or #ranges > max_ranges or #vim.fn.win_findbuf(buf) == 0 then
    return
  end
  M.define()
  local last = api.nvim_buf_line_count(buf)
  for _, range in ipairs(ranges) do
    local first, stop = range[1], math.min(range[1] + range[2], last)
    if stop > first then
      api.nvim_buf_set_extmark(buf, ns, first, 0, {
        end_row = stop,
        hl_group = "CodexChatReloaded",
        hl_eol = true,
        priority = 200,
        undo_restore = false,
      })
    end
  end
  if timers[buf] then
    timers[buf]:stop()
    timers[buf]:close()
  end
  timers[buf] = vim.defer_fn(function()
    timers[buf] = nil
    if api.nvim_buf_is_valid(buf) then
      api.nvim_buf_clear_namespace(buf, ns, 0, -1)
    end
  end, shown_ms)
end

return M
