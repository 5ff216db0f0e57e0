--- Asking the host for something, with an answer: `action/run` and `action_answer`.
local M = {}

local say = require("codex-chat.message")

---@alias codex-chat.Answered fun(value: any, err: string?)

---@type table<integer, codex-chat.Answered>
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

--- Asks the host; `callback` gets the value, or nil and a sentence that says why not. Without one,
--- an error is shown and a value dropped.
---@param chat codex-chat.Chat
---@param name string such as "thread/fork"; src/session/actions has them
---@param params? table
---@param callback? codex-chat.Answered
function M.run(chat, name, params, callback)
  next_id = next_id + 1
  local id = next_id
  waiting[id] = callback or function(_, err)
    if err then
      say.error(err)
    end
  end
  local told = { id = id, name = name, params = params or vim.empty_dict() }
  if not require("codex-chat.host").notify(chat, "action/run", told) then
    waiting[id] = nil
  end
end

--- The host answers.
---@param id integer
---@param answer { ok: boolean, value?: any, message?: string }
function M.answered(id, answer)
  local callback = waiting[id]
  waiting[id] = nil
  if not callback then
    return
  end
  if answer.ok then
    callback(clean(answer.value), nil)
  else
    callback(nil, answer.message)
  end
end

--- The host is gone: whoever waits hears of it.
function M.lost()
  local all = waiting
  waiting = {}
  for _, callback in pairs(all) do
    callback(nil, "the host ended before it answered.")
  end
end

return M
