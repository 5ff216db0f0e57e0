--- The text of the winbar: the conversation's name at the left, its state at the right, cut to the width
--- of a window.
local M = {}

local name = require("codex-chat.buffer.name")
local statusline = require("codex-chat.ui.statusline")

local api = vim.api

local phase_groups = {
  idle = "CodexChatDone",
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
---@field shorter? string[] its shorter forms, the longest first; then room is left for the next part
---@field group? string
---@field shown? string

--- The state in words; of a turn that is over, how long it took.
---@param chat codex-chat.Chat
---@return string
local function phase_text(chat)
  if chat.state.phase == "idle" and chat.took then
    return "done in " .. statusline.span(chat.took)
  end
  return statusline.phase_text(chat)
end

--- The parts of the winbar, in their order: those at the left, and those at the right.
---@param chat codex-chat.Chat
---@return codex-chat.StatusPart[] left
---@return codex-chat.StatusPart[] right
function M.parts(chat)
  local state = chat.state
  local queued = state.queued or 0
  local detail = { text = state.detail, rank = 9, least = least, group = "CodexChatMuted" }
  if state.shorter then
    detail.rank, detail.shorter = 4, state.shorter
  end
  return {
    { text = name.of(chat), rank = 5, least = least, group = "CodexChatTitle" },
    { text = state.model, rank = 6, group = "CodexChatMuted" },
    { text = state.mode, rank = 7, group = "CodexChatMuted" },
    { text = state.sandbox, rank = 3, group = "CodexChatMuted" },
    { text = statusline.token_text(state.tokens), rank = 10, group = "CodexChatMuted" },
  }, {
    detail,
    { text = queued > 0 and (queued .. " queued") or nil, rank = 8, group = "CodexChatMuted" },
    -- An unwritten file or a weaker sandbox must be visible in any width.
    { text = state.note, rank = 2, group = "CodexChatWaiting" },
    { text = phase_text(chat), rank = 1, group = phase_groups[state.phase] },
  }
end

--- The parts as one string.
---@param parts codex-chat.StatusPart[]
---@return string
local function joined(parts)
  local shown = {}
  for _, part in ipairs(parts) do
    if part.shown then
      local text = statusline.escape(part.shown)
      shown[#shown + 1] = part.group and ("%%#%s#%s%%*"):format(part.group, text) or text
    end
  end
  return table.concat(shown, "%#CodexChatMuted#" .. separator .. "%*")
end

--- The longest form of a part that leaves the next one the columns to which it may be cut.
---@param part codex-chat.StatusPart
---@param next codex-chat.StatusPart?
---@param room integer
---@return string
local function form(part, next, room)
  if not part.shorter then
    return part.text
  end
  if next and next.least then
    room = room - math.min(api.nvim_strwidth(next.text), next.least) - api.nvim_strwidth(separator)
  end
  for _, text in ipairs(vim.list_extend({ part.text }, part.shorter)) do
    if api.nvim_strwidth(text) <= room then
      return text
    end
  end
  return part.shorter[#part.shorter]
end

--- The winbar's text for a window of this width: the least important parts are cut or left out.
---@param chat codex-chat.Chat
---@param width integer
---@return string
function M.text(chat, width)
  local left, right = M.parts(chat)
  local by_rank = vim.tbl_filter(function(part)
    return part.text ~= nil and part.text ~= ""
  end, vim.list_extend(vim.list_slice(left), right))
  table.sort(by_rank, function(a, b)
    return a.rank < b.rank
  end)
  local room_left = width - 2
  for n, part in ipairs(by_rank) do
    local room = room_left - (n == 1 and 0 or api.nvim_strwidth(separator))
    local text = form(part, by_rank[n + 1], room)
    local size = api.nvim_strwidth(text)
    if n == 1 or size <= room or (part.least and room >= part.least) then
      part.shown = require("codex-chat.message").cut(text, math.max(room, 1))
      room_left = room - math.min(size, room)
    elseif not part.least then
      -- A less important part must not take the room of a more important one.
      break
    end
  end
  return " " .. (joined(left)) .. "%=" .. (joined(right)) .. " %<"
end

return M
