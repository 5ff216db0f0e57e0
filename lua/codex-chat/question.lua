--- Asking the user field by field what Codex or an MCP server wants to know.
local M = {}

---@class (exact) codex-chat.Field
---@field name string
---@field label string
---@field description? string
---@field type "text"|"number"|"integer"|"boolean"|"choice"
---@field required boolean
---@field secret boolean
---@field options { value: string, label: string, description: string }[]
---@field other boolean
---@field default? string|number|boolean

local skip, other = {}, {}

---@param field codex-chat.Field
---@return string
local function prompt_of(field)
  local optional = field.required and "" or " (may be left out)"
  return (field.description or field.label):gsub("%c", " ") .. optional
end

--- Reads what was typed as the field's type.
---@param field codex-chat.Field
---@param text string
---@return string|number|nil value
---@return string? err
local function read(field, text)
  if field.type ~= "number" and field.type ~= "integer" then
    return text
  end
  local number = tonumber(text)
  if not number or (field.type == "integer" and number ~= math.floor(number)) then
    return nil,
      ("%s must be %s"):format(
        field.label,
        field.type == "integer" and "a whole number" or "a number"
      )
  end
  return number
end

---@param field codex-chat.Field
---@param done fun(value: any) `skip` where it was left out; nil where the user went away
local function ask_text(field, done)
  local function take(text)
    if not text then
      done(nil)
    elseif text == "" and not field.required then
      done(skip)
    elseif text == "" then
      vim.notify(("codex-chat: %s is needed."):format(field.label), vim.log.levels.WARN)
      ask_text(field, done)
    else
      local value, err = read(field, text)
      if err then
        vim.notify("codex-chat: " .. err .. ".", vim.log.levels.WARN)
        ask_text(field, done)
      else
        done(value)
      end
    end
  end
  if field.secret then
    -- Not vim.ui.input: what it is given may be kept in a history or a buffer.
    local ok, text = pcall(vim.fn.inputsecret, prompt_of(field) .. ": ")
    vim.cmd.redraw()
    take(ok and text or nil)
    return
  end
  local default = field.default ~= nil and tostring(field.default) or nil
  vim.ui.input({ prompt = prompt_of(field) .. ": ", default = default }, take)
end

---@param field codex-chat.Field
---@param done fun(value: any)
local function ask_choice(field, done)
  local choices = {}
  if field.type == "boolean" then
    choices = { { value = true, label = "yes" }, { value = false, label = "no" } }
  else
    vim.list_extend(choices, field.options)
  end
  if field.other then
    choices[#choices + 1] = { value = other, label = "something else" }
  end
  if not field.required then
    choices[#choices + 1] = { value = skip, label = "leave it out" }
  end
  vim.ui.select(choices, {
    prompt = prompt_of(field),
    kind = "codex-chat-question",
    format_item = function(choice)
      local about = choice.description or ""
      return about == "" and choice.label or ("%s — %s"):format(choice.label, about)
    end,
  }, function(choice)
    if choice and choice.value == other then
      ask_text(vim.tbl_extend("force", field, { type = "text" }), done)
    else
      done(choice and choice.value)
    end
  end)
end

--- Asks for all fields in turn. `done` gets the answers by name, or nil where the user went away.
---@param fields codex-chat.Field[]
---@param done fun(answers: table<string, any>?)
function M.ask(fields, done)
  local answers = vim.empty_dict()
  local function step(n)
    local field = fields[n]
    if not field then
      done(answers)
      return
    end
    local ask = (field.type == "choice" or field.type == "boolean") and ask_choice or ask_text
    ask(field, function(value)
      if value == nil then
        done(nil)
        return
      end
      if value ~= skip then
        answers[field.name] = value
      end
      step(n + 1)
    end)
  end
  step(1)
end

return M
