--- What the chat says about itself: the winbar and the hint in the empty prompt.
local M = {}

local registry = require("codex-chat.registry")
local statusline = require("codex-chat.ui.statusline")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.hint")

local phase_groups = {
  starting = "CodexChatRunning",
  running = "CodexChatRunning",
  waiting = "CodexChatWaiting",
  failed = "CodexChatFailed",
}

--- Columns below which a text that was cut says nothing any more.
local least = 10
local separator = " · "

---@class (exact) codex-chat.StatusPart
---@field text? string
---@field rank integer what matters least has the highest
---@field least? integer columns to which it may be cut
---@field group? string
---@field shown? string

--- What there is to say of the conversation, in the order in which it stands.
---@param chat codex-chat.Chat
---@return codex-chat.StatusPart[]
function M.parts(chat)
  local state = chat.state
  local queued = state.queued or 0
  return {
    { text = require("codex-chat.threads.file").name_of(chat), rank = 9, least = least },
    { text = state.model, rank = 4 },
    { text = state.mode, rank = 6 },
    { text = statusline.phase_text(chat), rank = 1, group = phase_groups[state.phase] },
    { text = state.detail, rank = 7, least = least },
    { text = queued > 0 and (queued .. " queued") or nil, rank = 5 },
    -- That the file is not written, or the sandbox is a weaker one, must be seen in any width.
    { text = state.note, rank = 2, group = "CodexChatWaiting" },
    { text = state.sandbox, rank = 3 },
    { text = statusline.token_text(state.tokens), rank = 8 },
  }
end

--- The winbar's text for a window of this width: what matters least goes first, or is cut.
---@param chat codex-chat.Chat
---@param width integer
---@return string
function M.winbar(chat, width)
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
      -- What matters less does not take the place of what matters more.
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

--- Shows the state in every window of the chat.
---@param chat codex-chat.Chat
function M.show(chat)
  require("codex-chat.ui.winbar").show(chat)
end

---@type uv.uv_timer_t?
local timer

--- Runs the clock while a turn runs, and only then.
local function keep_time()
  local busy = vim.iter(registry.all()):any(function(chat)
    return statusline.is_busy(chat.state.phase)
  end)
  if busy and not timer then
    timer = assert(vim.uv.new_timer())
    timer:start(
      1000,
      1000,
      vim.schedule_wrap(function()
        for _, chat in ipairs(registry.all()) do
          if statusline.is_busy(chat.state.phase) then
            M.show(chat)
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
function M.refresh(chat)
  statusline.forget()
  M.show(chat)
  statusline.redraw()
end

--- Takes over what the host says of the conversation.
---@param chat codex-chat.Chat
---@param state codex-chat.State
function M.set(chat, state)
  local before = chat.state
  if statusline.is_busy(state.phase) and not statusline.is_busy(before.phase) then
    chat.began = vim.uv.now()
  elseif not statusline.is_busy(state.phase) then
    chat.took = statusline.elapsed(chat) or chat.took
    chat.began = nil
  end
  -- What does not change with every message is kept from the last one that had it.
  local after = vim.tbl_extend("force", {
    model = before.model,
    mode = before.mode,
    sandbox = before.sandbox,
    tokens = before.tokens,
  }, state)
  if vim.deep_equal(before, after) then
    return
  end
  chat.state = after
  M.refresh(chat)
  if api.nvim_buf_is_loaded(chat.buf) then
    M.hint(chat)
  end
  keep_time()
  require("codex-chat.events").emit(
    "StateChanged",
    vim.tbl_extend("error", statusline.status(chat), { previous = before.phase })
  )
end

--- Shows in an empty prompt what to do.
---@param chat codex-chat.Chat
---@param inserting? boolean whether the user is in insert mode; found out where not given
function M.hint(chat, inserting)
  local buf = chat.buf
  if chat.preparing then
    chat.hint = api.nvim_buf_set_extmark(buf, ns, api.nvim_buf_line_count(buf) - 1, 0, {
      id = chat.hint,
      virt_text = { { (" reading %s …"):format(chat.preparing), "CodexChatHint" } },
      virt_text_pos = "eol",
    })
    return
  end
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
  elseif statusline.is_busy(chat.state.phase) then
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

require("codex-chat.events").hook("HostEnded", function(data)
  for _, chat in ipairs(registry.all()) do
    if chat.host == "lost" and api.nvim_buf_is_loaded(chat.buf) then
      M.set(chat, { phase = "failed", detail = data.message:match("^[^.]*") })
    end
  end
end)

return M
