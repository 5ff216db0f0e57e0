--- The text of the winbar: the conversation's state, cut to the width of a window.
local M = {}

local name = require("codex-chat.buffer.name")
local statusline = require("codex-chat.ui.statusline")

local api = vim.api

local phase_groups = {
  starting = "CodexChatRunning",
  running = "CodexChatRunning",
  waiting = "CodexChatWaiting",
  failed = "CodexChatFailed",
}

--- The fewest columns to which a text is cut.
local least = 10
local separator = " · "

---@class (exact) codex-chat.StatusPart
---@field text? string
---@field rank integer 1 for the most important part
---@field least? integer the fewest columns to which it may be cut; nil: it is not cut
---@field group? string
---@field shown? string

--- The parts of the winbar, in their order.
---@param chat codex-chat.Chat
---@return codex-chat.StatusPart[]
function M.parts(chat)
  local state = chat.state
  local queued = state.queued or 0
  return {
    { text = name.of(chat), rank = 9, least = least },
    { text = state.model, rank = 4 },
    { text = state.mode, rank = 6 },
    { text = statusline.phase_text(chat), rank = 1, group = phase_groups[state.phase] },
    { text = state.detail, rank = 7, least = least },
    { text = queued > 0 and (queued .. " queued") or nil, rank = 5 },
    -- An unwritten file or a weaker sandbox must be visible in any width.
    { text = state.note, rank = 2, group = "CodexChatWaiting" },
    { text = state.sandbox, rank = 3 },
    { text = statusline.token_text(state.tokens), rank = 8 },
  }
end

--- The winbar's text for a window of this width: the least important parts are cut or left out.
---@param chat codex-chat.Chat
---@param width integer
---@return string
function M.text(chat, width)
  local parts = M.parts(chat)
  local by_rank = vim.tbl_filter(function(part)
    return part.text ~= nil and part.text ~= ""
  end, parts)
  table.sort(by_rank, function(a, b)
    return a.rank < b.rank
  end)
  local left = width - 2
  for n, part in ipairs(by_rank) do
    local room = left - (n == 1 and 0 or api.nvim_strwidth(separator))
    local size = api.nvim_strwidth(part.text)
    if n == 1 or size <= room or (part.least and room >= part.least) then
      part.shown = require("codex-chat.message").cut(part.text, math.max(room, 1))
      left = room - math.min(size, room)
    elseif not part.least then
      -- A less important part must not take the room of a more important one.
      break
    end
  end
  local shown = {}
  for i = 1, 9 do
    local part = parts[i]
    if part.shown then
      local text = statusline.escape(part.shown)
      shown[#shown + 1] = part.group and ("%%#%s#%s%%*"):format(part.group, text) or text
    end
  end
  return " " .. table.concat(shown, separator) .. " %<"
end

return M
