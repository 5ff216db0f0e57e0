--- The state of a conversation: the only module that sets it, and facts that follow from it.
local M = {}

local events = require("codex-chat.events")
local registry = require("codex-chat.registry")

--- Whether a turn is running.
---@param phase string
---@return boolean
function M.is_busy(phase)
  return phase == "starting" or phase == "running" or phase == "waiting"
end

--- Seconds since the running turn started; nil if none is running.
---@param chat codex-chat.Chat
---@return integer?
function M.elapsed(chat)
  return chat.began and math.floor((vim.uv.now() - chat.began) / 1000) or nil
end

--- The number of questions that wait in conversations other than this one.
---@param chat? codex-chat.Chat
---@return integer
function M.questions_elsewhere(chat)
  local count = 0
  for _, each in ipairs(registry.all()) do
    count = count + (each ~= chat and #each.approvals or 0)
  end
  return count
end

---@type table<codex-chat.Chat, { state: codex-chat.State, status: codex-chat.Status }>
local known = setmetatable({}, { __mode = "k" })

--- The conversation's status. The same table is returned until something has changed.
---@param chat codex-chat.Chat
---@return codex-chat.Status
function M.of(chat)
  local found = known[chat]
  local status = found and found.status
  local seconds = M.elapsed(chat)
  local elsewhere = M.questions_elsewhere(chat)
  if
    not status
    or found.state ~= chat.state
    or status.elapsed ~= seconds
    or status.waiting ~= #chat.approvals
    or (status.elsewhere or 0) ~= elsewhere
    or status.path ~= chat.path
    or status.unseen ~= chat.unseen
  then
    local state = chat.state
    status = {
      buf = chat.buf,
      path = chat.path,
      root = chat.root,
      phase = state.phase,
      busy = M.is_busy(state.phase),
      detail = state.detail,
      model = state.model,
      mode = state.mode,
      sandbox = state.sandbox,
      tokens = vim.deepcopy(state.tokens),
      queued = state.queued or 0,
      waiting = #chat.approvals,
      elsewhere = elsewhere > 0 and elsewhere or nil,
      unseen = chat.unseen,
      elapsed = seconds,
      note = state.note,
    }
    known[chat] = { state = state, status = status }
  end
  return status
end

--- Makes the state that of a new conversation, without an event.
---@param chat codex-chat.Chat
function M.reset(chat)
  chat.state = { phase = "idle" }
end

--- Sets the state that the host reports, and raises `StateChanged` if it differs.
---@param chat codex-chat.Chat
---@param state codex-chat.State
function M.set(chat, state)
  local before = chat.state
  if M.is_busy(state.phase) and not M.is_busy(before.phase) then
    chat.began = vim.uv.now()
  elseif not M.is_busy(state.phase) then
    -- A sandbox that has started ahead of a query was no turn.
    chat.took = chat.in_turn and M.elapsed(chat) or chat.took
    chat.began = nil
  end
  if state.phase ~= "starting" then
    chat.in_turn = M.is_busy(state.phase) or nil
  end
  -- Fields that the host leaves out keep their last values.
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
  events.emit("StateChanged", vim.tbl_extend("error", M.of(chat), { previous = before.phase }))
end

events.hook("HostEnded", function(data)
  for _, chat in ipairs(registry.all()) do
    if chat.host == "lost" and vim.api.nvim_buf_is_loaded(chat.buf) then
      M.set(chat, { phase = "failed", detail = data.message:match("^[^.]*") })
    end
  end
end)

return M
