--- Approvals and questions, and answering them.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local fit = require("codex-chat.approval.fit")
local keys = require("codex-chat.approval.keys")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")

local api = vim.api

M.refresh = keys.refresh
M.resize = keys.resize

---@type table<string, string> by id, until the host confirms it
local decision_by_id = {}

--- Whether an answer is given in another way, as for a patch that the user has changed.
---@type fun(chat: codex-chat.Chat, approval: codex-chat.Approval, decision: string): boolean
M.instead = function()
  return false
end

--- Adds or removes a pending approval, as the host reports it.
---@param chat codex-chat.Chat
---@param change codex-chat.ApprovalRequest|codex-chat.ApprovalEnd
function M.set(chat, change)
  local others = vim.tbl_filter(function(approval)
    return approval.id ~= change.id
  end, chat.approvals)
  local was_pending = #others < #chat.approvals
  if change.remove and was_pending then
    local over = vim.iter(chat.approvals):find(function(approval)
      return approval.id == change.id
    end)
    require("codex-chat.approval.back").go(chat, over, others)
    fit.forget(chat.buf, over)
  end
  chat.approvals = others
  if not change.remove then
    local choices = change.choices
    if type(choices) ~= "table" or #choices == 0 then
      choices = { "accept", "accept_session", "decline", "cancel" }
    end
    table.insert(chat.approvals, {
      id = change.id,
      block = change.block,
      kind = change.kind or "command",
      choices = choices,
      fields = change.fields,
      url = change.url,
      diff = change.diff,
    })
  end
  keys.refresh_in_place(chat)
  require("codex-chat.ui.refresh").show(chat)
  require("codex-chat.ui.hint").show(chat)
  if change.remove and was_pending then
    require("codex-chat.events").emit("ApprovalAnswered", {
      buf = chat.buf,
      id = change.id,
      decision = decision_by_id[change.id] or "withdrawn",
    })
  end
  decision_by_id[change.id] = nil
end

---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@param decision string
---@param reason? string
---@return boolean
---@param answers? table<string, any> the answers to a question
local function answer(chat, approval, decision, reason, answers)
  if not keys.offers(approval, decision) then
    say.warn(
      ("this cannot be answered with %s, only with %s."):format(
        keys.words[decision],
        table.concat(approval.choices, ", ")
      )
    )
    return false
  elseif M.instead(chat, approval, decision) then
    return true
  end
  decision_by_id[approval.id] = decision
  return require("codex-chat.host").notify(chat, "approval/answer", {
    id = approval.id,
    decision = decision,
    reason = reason ~= "" and reason or nil,
    answers = answers,
  })
end

---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@return boolean
local function is_pending(chat, approval)
  return vim.list_contains(chat.approvals, approval)
end

--- What to call when a question is answered, and after each of its fields.
---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@return fun(answers: table<string, any>) done
---@return fun() moved
local function callbacks(chat, approval)
  return function(answers)
    if is_pending(chat, approval) then
      answer(chat, approval, "accept", nil, answers)
    end
  end, function()
    if is_pending(chat, approval) then
      keys.refresh_in_place(chat)
    end
  end
end

--- Opens a page once the user has agreed, with the whole address in view.
---
--- SECURITY: the host passes on plain http and https addresses only.
---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
local function open_page(chat, approval)
  vim.ui.select({ "Open it", "Leave it" }, {
    prompt = ("Open %s in the browser?"):format(approval.url),
    kind = "codex-chat-page",
  }, function(_, n)
    if n ~= 1 or not is_pending(chat, approval) then
      return
    end
    local err = require("codex-chat.outside.programs").open(approval.url)
    if err then
      say.warn(("the page was not opened: %s. Its address is in the conversation."):format(err))
    end
    answer(chat, approval, "accept")
  end)
end

---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@param decision string
local function ask_and_answer(chat, approval, decision)
  if decision == "accept" and approval.fields then
    require("codex-chat.approval.form").ask(approval, callbacks(chat, approval))
  elseif decision == "accept" and approval.url then
    open_page(chat, approval)
  elseif decision ~= "decline" then
    answer(chat, approval, decision)
  else
    vim.ui.input({ prompt = "Why not? (optional) " }, function(reason)
      -- Neovim leaves the question and the answer in the command line.
      say.clear_line()
      -- Escape cancels the decision.
      if reason and is_pending(chat, approval) then
        answer(chat, approval, decision, reason)
      end
    end)
  end
end

--- A key was pressed on the lines of an approval.
---@param decision string
function keys.on_answer(decision)
  local chat = registry.get(0)
  local approval = chat and keys.at_cursor(chat)
  if not chat or not approval then
    return
  end
  local unread = vim.startswith(decision, "accept") and fit.unread(chat, approval) or 0
  if unread > 0 then
    local lines = unread == 1 and "1 line" or unread .. " lines"
    say.warn(("%s of this question are below the window. Read to its end first."):format(lines))
    return
  end
  ask_and_answer(chat, approval, decision)
end

--- A number was pressed on the lines of a question.
---@param number integer
function keys.on_pick(number)
  local chat = registry.get(0)
  local approval = chat and keys.at_cursor(chat)
  if chat and approval then
    require("codex-chat.approval.form").pick(approval, number, callbacks(chat, approval))
  end
end

--- The approval that a command is about: the one under the cursor, else the oldest.
---@return codex-chat.Chat?
---@return codex-chat.Approval?
local function target_approval()
  local chat = require("codex-chat.project").current_chat()
  if not chat or #chat.approvals == 0 then
    chat = vim.iter(registry.all()):find(function(c)
      return #c.approvals > 0
    end)
  end
  if not chat then
    say.info("no question is waiting for an answer.")
    return
  end
  return chat, api.nvim_get_current_buf() == chat.buf and keys.at_cursor(chat) or chat.approvals[1]
end

--- Shows whether accepting a patch applies what the user has made of it.
---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@param is_edited boolean
function M.set_edited(chat, approval, is_edited)
  if is_pending(chat, approval) and approval.is_edited ~= is_edited then
    approval.is_edited = is_edited
    keys.refresh_in_place(chat)
  end
end

--- Notes how a question was answered, for the event that follows.
---@param id string
---@param decision? string nil if it was not
function M.note(id, decision)
  decision_by_id[id] = decision
end

--- The patch that a command is about: the one under the cursor, else the oldest.
---@return codex-chat.Chat?
---@return codex-chat.Approval?
function M.target_patch()
  local chat, approval = target_approval()
  if chat and approval and not approval.diff then
    approval = vim.iter(chat.approvals):find(function(pending)
      return pending.diff
    end)
  end
  return chat, approval
end

--- A command or mapping, from anywhere.
---@param decision string
---@param reason? string if the command has none, the user is asked
function M.answer(decision, reason)
  local chat, approval = target_approval()
  if not chat or not approval then
    return
  elseif reason then
    answer(chat, approval, decision, reason)
  else
    ask_and_answer(chat, approval, decision)
  end
end

--- `:CodexChat answer [text]`: answers the current field with a text, or asks for all open fields.
---@param text string
function M.answer_with(text)
  local chat, approval = target_approval()
  if not chat or not approval then
    return
  elseif text == "" then
    ask_and_answer(chat, approval, "accept")
    return
  elseif not approval.fields then
    say.warn("that is not a question. Answer it with :CodexChat accept or :CodexChat decline.")
    return
  end
  local err =
    require("codex-chat.approval.form").answer_with(approval, text, callbacks(chat, approval))
  if err then
    say.warn(err:gsub("%c", " ") .. ".")
  end
end

--- Answers without asking the user: the approval with this id, else the oldest.
---@param chat codex-chat.Chat
---@param decision codex-chat.Decision
---@param opts codex-chat.AnswerOpts
---@return boolean answered
function M.answer_as(chat, decision, opts)
  local approval = vim.iter(chat.approvals):find(function(pending)
    return not opts.id or pending.id == opts.id
  end)
  if not approval or (decision == "accept" and approval.fields and not opts.answers) then
    return false
  end
  local answers = approval.fields and opts.answers
  -- An empty table would be sent as a list.
  answers = answers and (next(answers) and answers or vim.empty_dict()) or nil
  return answer(chat, approval, decision, opts.reason, answers)
end

--- Moves the cursor to the next or previous pending approval, around the ends.
---@param chat codex-chat.Chat
---@param step 1|-1
function M.jump(chat, step)
  local rows, stops = {}, {}
  for _, approval in ipairs(chat.approvals) do
    local first = blocks.range(chat, approval.block)
    local _, stop = blocks.group_range(chat, approval.block)
    if first and stop then
      rows[#rows + 1], stops[first] = first, stop
    end
  end
  table.sort(rows)
  if #rows == 0 then
    say.info("no question is waiting for an answer.")
    return
  end
  local here = api.nvim_win_get_cursor(0)[1] - 1
  local target = step > 0 and rows[1] or rows[#rows]
  for i = 1, #rows do
    local row = step > 0 and rows[i] or rows[#rows + 1 - i]
    if (step > 0 and row > here) or (step < 0 and row < here) then
      target = row
      break
    end
  end
  require("codex-chat.approval.back").remember(chat)
  vim.cmd("normal! m'")
  fit.show(target, stops[target])
  -- Maps its keys at once: within a mapping or `:normal` no event follows the move.
  keys.refresh(chat)
end

--- Drops everything that is pending in a conversation.
---@param chat codex-chat.Chat
function M.clear(chat)
  for _, approval in ipairs(chat.approvals) do
    fit.forget(chat.buf, approval)
  end
  chat.approvals = {}
  M.refresh(chat)
  require("codex-chat.ui.hint").show(chat)
end

-- Only the host could have taken the answers.
require("codex-chat.events").hook("HostEnded", function()
  for _, chat in ipairs(registry.all()) do
    if chat.host == "lost" then
      M.clear(chat)
    end
  end
end)

return M
