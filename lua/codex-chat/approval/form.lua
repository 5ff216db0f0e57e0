--- Answers a question of Codex or of an MCP server, one field after the other.
---
--- SECURITY: the answer to a secret field stays in memory until the host has it. It is in no buffer, no
--- history, no message and no log.
local M = {}

local say = require("codex-chat.message")

---@class (exact) codex-chat.Choice an option that can be picked
---@field value any
---@field label string
---@field description? string

--- Stand for a field that is left out, and for a typed answer.
local skip, other = {}, {}

local patterns = {
  email = "^[^%s@]+@[^%s@]+%.[^%s@]+$",
  uri = "^%a[%w+.-]*:%S+$",
  date = "^%d%d%d%d%-%d%d%-%d%d$",
  ["date-time"] = "^%d%d%d%d%-%d%d%-%d%d[Tt ]%d%d:%d%d:%d%d[%d.]*[Zz+-][%d:]*$",
}

local formats = {
  email = "an email address",
  uri = "an address with its scheme, such as https://example.org",
  date = "a date such as 2026-01-31",
  ["date-time"] = "a time such as 2026-01-31T12:00:00Z",
}

--- The current field.
---@param approval codex-chat.Approval
---@return codex-chat.Field?
function M.current(approval)
  return approval.fields and approval.fields[approval.at or 1]
end

--- The options that a number picks, in the order of the text.
---@param field codex-chat.Field?
---@return codex-chat.Choice[]
function M.options(field)
  if not field or field.type == "choices" then
    return {}
  elseif field.type == "boolean" then
    return { { value = true, label = "Yes" }, { value = false, label = "No" } }
  end
  local options = vim.list_extend({}, field.options)
  if field.other and #options > 0 then
    options[#options + 1] = { value = other, label = "Something else" }
  end
  return options
end

---@param field codex-chat.Field
---@param size number
---@param what string names the count in the message
---@return string? err
local function bounds_error(field, size, what)
  if field.min and size < field.min then
    return ("%s needs %s%s or more"):format(field.label, what, field.min)
  elseif field.max and size > field.max then
    return ("%s takes %s%s at most"):format(field.label, what, field.max)
  end
end

--- Parses a typed text by the field's type.
---@param field codex-chat.Field
---@param text string
---@return any value nil if it does not fit
---@return string? err
function M.read(field, text)
  if field.type == "number" or field.type == "integer" then
    -- Stricter than tonumber(): neither hexadecimal numbers nor inf.
    local number = text:match("^%s*[+-]?%.?%d[%d.eE+-]*%s*$") and tonumber(text)
    local whole = field.type == "integer"
    if not number or math.abs(number) == math.huge or (whole and number % 1 ~= 0) then
      return nil, ("%s must be %s"):format(field.label, whole and "a whole number" or "a number")
    end
    local err = bounds_error(field, number, "")
    return not err and number or nil, err
  end
  local pattern = field.format and patterns[field.format]
  if pattern and not text:match(pattern) then
    return nil, ("%s must be %s"):format(field.label, formats[field.format])
  end
  local err = bounds_error(field, vim.fn.strchars(text), "a number of characters: ")
  return not err and text or nil, err
end

---@param field codex-chat.Field
---@return string
local function prompt_of(field)
  local optional = field.required and "" or " (optional)"
  return (field.description or field.label):gsub("%c", " ") .. optional
end

---@param field codex-chat.Field
---@param done fun(value: any) `skip` if the field was left out; nil if the user cancelled
local function ask_text(field, done)
  local prompt = prompt_of(field)
  prompt = prompt .. (prompt:find("[%?:]$") and " " or ": ")
  local function accept(text)
    if not text then
      done(nil)
      return
    elseif text == "" and not field.required then
      done(skip)
      return
    end
    local value, err
    if text == "" then
      err = field.label .. " is needed"
    else
      value, err = M.read(field, text)
    end
    if err then
      say.warn(err:gsub("%c", " ") .. ".")
      ask_text(field, done)
    else
      done(value)
    end
  end
  if field.secret then
    -- Not vim.ui.input: it may keep the text in a history or a buffer.
    local ok, text = pcall(vim.fn.inputsecret, prompt)
    vim.cmd.redraw()
    -- Escape returns an empty text as well.
    accept(ok and (text ~= "" or not field.required) and text or nil)
    return
  end
  local default = field.default ~= nil and tostring(field.default) or nil
  vim.ui.input({ prompt = prompt, default = default }, accept)
end

---@param option codex-chat.Choice
---@return string
local function option_text(option)
  local about = option.description or ""
  return (
    (about == "" and option.label or ("%s — %s"):format(option.label, about)):gsub("%c", " ")
  )
end

--- The default comes first, so that a plain <CR> picks it.
---@param field codex-chat.Field
---@param options codex-chat.Choice[]
---@return codex-chat.Choice[]
local function default_first(field, options)
  for i, option in ipairs(options) do
    if option.value == field.default and i > 1 then
      table.insert(options, 1, table.remove(options, i))
      break
    end
  end
  return options
end

---@param field codex-chat.Field
---@param done fun(value: any)
local function ask_choice(field, done)
  local options = default_first(field, M.options(field))
  if not field.required then
    options[#options + 1] = { value = skip, label = "Skip" }
  end
  vim.ui.select(options, {
    prompt = prompt_of(field),
    kind = "codex-chat-question",
    format_item = option_text,
  }, function(option)
    if option and option.value == other then
      ask_text(vim.tbl_extend("force", field, { type = "text" }), done)
    else
      done(option and option.value)
    end
  end)
end

---@param field codex-chat.Field
---@param done fun(value: any)
---@param chosen? table<any, boolean>
local function ask_choices(field, done, chosen)
  if not chosen then
    chosen = {}
    for _, value in ipairs(type(field.default) == "table" and field.default or {}) do
      chosen[value] = true
    end
  end
  local items = vim.list_extend({}, field.options)
  items[#items + 1] = { value = skip, label = "Done" }
  vim.ui.select(items, {
    prompt = prompt_of(field),
    kind = "codex-chat-question",
    format_item = function(option)
      local mark = option.value == skip and "" or (chosen[option.value] and "[x] " or "[ ] ")
      return mark .. option_text(option)
    end,
  }, function(option)
    if not option then
      done(nil)
      return
    elseif option.value ~= skip then
      chosen[option.value] = not chosen[option.value] or nil
      ask_choices(field, done, chosen)
      return
    end
    local values = {}
    for _, choice in ipairs(field.options) do
      if chosen[choice.value] then
        values[#values + 1] = choice.value
      end
    end
    local err = bounds_error(field, #values, "a number of choices: ")
    if err and not (#values == 0 and not field.required) then
      say.warn(err:gsub("%c", " ") .. ".")
      ask_choices(field, done, chosen)
    else
      done(#values == 0 and not field.required and skip or values)
    end
  end)
end

--- Stores the answer to the current field and moves to the next.
---@param approval codex-chat.Approval
---@param value any
local function note(approval, value)
  approval.answers = approval.answers or vim.empty_dict()
  if value ~= skip then
    approval.answers[M.current(approval).name] = value
  end
  approval.at = (approval.at or 1) + 1
end

--- Asks for all open fields. `done` is called when every field is answered; if the user cancels, the
--- answers so far are kept and asking continues there the next time.
---@param approval codex-chat.Approval
---@param done fun(answers: table<string, any>)
---@param moved fun() called when another field is current
function M.ask(approval, done, moved)
  local field = M.current(approval)
  if not field then
    done(approval.answers or vim.empty_dict())
    return
  end
  local ask = field.type == "choices" and ask_choices
    or #M.options(field) > 0 and ask_choice
    or ask_text
  ask(field, function(value)
    if value ~= nil and M.current(approval) == field then
      note(approval, value)
      moved()
      M.ask(approval, done, moved)
    end
  end)
end

--- Answers the current field with the option of this number; the last field completes the answer.
---@param approval codex-chat.Approval
---@param number integer
---@param done fun(answers: table<string, any>)
---@param moved fun()
function M.pick(approval, number, done, moved)
  local field = M.current(approval)
  local option = M.options(field)[number]
  if not field or not option then
    return
  end
  local function finish(value)
    if value ~= nil and M.current(approval) == field then
      note(approval, value)
      moved()
      if not M.current(approval) then
        done(approval.answers)
      end
    end
  end
  if option.value == other then
    ask_text(vim.tbl_extend("force", field, { type = "text" }), finish)
  else
    finish(option.value)
  end
end

--- Answers the current field with a text: an option's number or label, or a value of its type.
---@param approval codex-chat.Approval
---@param text string
---@param done fun(answers: table<string, any>)
---@param moved fun()
---@return string? err
function M.answer_with(approval, text, done, moved)
  local field = M.current(approval)
  if not field then
    return "the question is no longer open"
  elseif field.secret then
    -- SECURITY: a command line has a history.
    return field.label .. " is secret: answer it with the key, or with `:CodexChat answer` alone"
  end
  local options = M.options(field)
  for n, option in ipairs(options) do
    if option.value ~= other and (tostring(n) == text or option.label:lower() == text:lower()) then
      M.pick(approval, n, done, moved)
      return nil
    end
  end
  if field.type == "choices" or (#options > 0 and not field.other) then
    return ("%s takes one of its options, not %s"):format(field.label, text)
  end
  local value, err = M.read(#options > 0 and { type = "text", label = field.label } or field, text)
  if err then
    return err
  end
  note(approval, value)
  moved()
  if not M.current(approval) then
    done(approval.answers)
  end
end

return M
