--- Requests of the host, each with an answer: `action/run` and `action_answer`.
local M = {}

local say = require("codex-chat.message")

---@alias codex-chat.Answered fun(value: any, err: string?)

---@class (exact) codex-chat.Request
---@field name codex-chat.ActionName
---@field callback codex-chat.Answered

---@type table<integer, codex-chat.Request>
local waiting = {}
local next_id = 0

---@param value any
---@return any value with Lua's own nil for what the wire calls nil
local function clean(value)
  if value == vim.NIL then
    return nil
  end
  if type(value) == "table" then
    for key, entry in pairs(value) do
      value[key] = clean(entry)
    end
  end
  return value
end

--- Asks the host. `callback` is called once: with the value, or with nil and a sentence that says why
--- not, also if the host cannot be reached or ends first. Without a callback an error is shown and a
--- value dropped.
---@param chat codex-chat.Chat
---@param name codex-chat.ActionName
---@param params? table the action's parameters, such as codex-chat.ThreadForkParams
---@param callback? codex-chat.Answered
function M.run(chat, name, params, callback)
  next_id = next_id + 1
  local id = next_id
  waiting[id] = {
    name = name,
    callback = callback or function(_, err)
      if err then
        say.error(err)
      end
    end,
  }
  local sent, err = require("codex-chat.host").try_notify(chat, "action/run", {
    id = id,
    name = name,
    params = params or vim.empty_dict(),
  })
  if not sent then
    -- At once, so that a command which asked fails.
    M.answered(id, { ok = false, message = err })
  end
end

--- Asks the host about conversations as files; no conversation needs to be open. `callback` is called
--- once, never before this returns: with the value, or with nil and a sentence that says why not.
---@param method codex-chat.NotificationName
---@param params table the notification's, without its id
---@param callback codex-chat.Answered
---@return integer id of the request
function M.ask(method, params, callback)
  next_id = next_id + 1
  local id = next_id
  waiting[id] = { name = method, callback = callback }
  params.id = id
  local sent, err = require("codex-chat.host").tell(method, params)
  if not sent then
    vim.schedule(function()
      M.answered(id, { ok = false, message = err })
    end)
  end
  return id
end

--- Takes the host's answer.
---@param id integer
---@param answer codex-chat.ActionValue|codex-chat.ActionFailure
function M.answered(id, answer)
  local request = waiting[id]
  waiting[id] = nil
  if not request then
    return
  end
  if answer.ok then
    request.callback(clean(answer.value), nil)
  else
    request.callback(nil, answer.message)
  end
end

require("codex-chat.events").hook("HostEnded", function()
  local all = waiting
  waiting = {}
  for _, request in pairs(all) do
    local message = "%s was not answered, because the host ended. "
      .. "`:CodexChat log` may say why; the next try starts it again."
    request.callback(nil, message:format(request.name))
  end
end)

return M
