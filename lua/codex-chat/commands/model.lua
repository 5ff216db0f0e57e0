--- `:CodexChat model` and `plan`: chooses the model, its effort, and plan mode.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

--- Keeps a model and effort as the default for conversations to come.
---@param model string
---@param effort? string
---@return true? ok
---@return string? err
function M.write_default(model, effort)
  local text = vim.json.encode({ model = model, effort = effort }) .. "\n"
  local path = require("codex-chat.config").default_model_path()
  return require("codex-chat.disk.change").write(path, text)
end

---@param chat codex-chat.Chat
---@param model string
---@param effort? string
---@param default? boolean whether new conversations use it as well
local function set(chat, model, effort, default)
  if default then
    local ok, err = M.write_default(model, effort)
    if not ok then
      say.error("the default was not saved: " .. err)
    end
  end
  action.run(chat, "model/set", { model = model, effort = effort }, function(_, err)
    if err then
      say.error(err)
      return
    end
    say.info(
      ("%s%s from the next turn on%s."):format(
        model,
        effort and (" with effort " .. effort) or "",
        default and ", and in new conversations" or ""
      )
    )
  end)
end

---@param chat codex-chat.Chat
---@param model codex-chat.ListedModel
---@param default? boolean
local function pick_effort(chat, model, default)
  if #model.efforts < 2 then
    set(chat, model.model, model.efforts[1] and model.efforts[1].effort, default)
    return
  end
  vim.ui.select(model.efforts, {
    prompt = ("Effort of %s"):format(model.name),
    kind = "codex-chat-effort",
    format_item = function(effort)
      local usual = effort.effort == model.effort and " (default)" or ""
      return ("%s%s  %s"):format(effort.effort, usual, effort.description)
    end,
  }, function(effort)
    if effort then
      set(chat, model.model, effort.effort, default)
    end
  end)
end

--- Sets the model and effort from the words `<model> [effort]`, or lets the user pick them.
---@param chat codex-chat.Chat
---@param words string
---@param default? boolean whether to make it the default as well
function M.choose(chat, words, default)
  local model, effort = words:match("^(%S+)%s*(%S*)$")
  if model then
    set(chat, model, effort ~= "" and effort or nil, default)
    return
  end
  action.run(chat, "model/list", {}, function(models, err)
    if err then
      say.error(err)
      return
    end
    vim.ui.select(models, {
      prompt = "Model",
      kind = "codex-chat-model",
      ---@param listed codex-chat.ListedModel
      format_item = function(listed)
        return ("%s %s  %s"):format(
          listed.isCurrent and "●" or " ",
          listed.name,
          listed.description
        )
      end,
    }, function(picked)
      if picked then
        pick_effort(chat, picked, default)
      end
    end)
  end)
end

--- Turns plan mode on or off; without a word, toggles it.
---@param chat codex-chat.Chat
---@param word string
function M.plan(chat, word)
  local on
  if word == "on" then
    on = true
  elseif word == "off" then
    on = false
  elseif word ~= "" then
    say.error("`:CodexChat plan` takes on, off, or nothing.")
    return
  end
  action.run(chat, "plan/set", { on = on }, function(now, err)
    if err then
      say.error(err)
      return
    end
    say.info(
      now.on and "from the next turn on Codex plans and changes nothing."
        or "from the next turn on Codex makes changes again."
    )
  end)
end

return M
