--- What the agent asks for: keys shown below it, and answering.
local M = {}

local blocks = require("codex-chat.blocks")
local registry = require("codex-chat.registry")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.approval")

local decisions = { "accept", "accept_session", "decline", "cancel" }
local words = {
  accept = "accept",
  accept_session = "accept for this session",
  decline = "decline",
  cancel = "decline and stop",
}

--- What is asked, for a message.
local asked = {
  patch = "to change files",
  questions = "you something",
  tool = "to use a tool",
  page = "you to visit a page",
}

--- What accepting means for questions and pages.
local accept_words = { questions = "answer", page = "open the page" }

---@param approval codex-chat.Approval
---@param decision string
---@return string
local function word(approval, decision)
  return decision == "accept" and accept_words[approval.kind] or words[decision]
end

---@param approval codex-chat.Approval
---@param decision string
---@return boolean
local function offers(approval, decision)
  return vim.list_contains(approval.choices, decision)
end

--- The numbers that pick an option of the current question.
---@param approval codex-chat.Approval
---@return integer count at most 9: one key each
local function numbers(approval)
  local question = require("codex-chat.question")
  return math.min(9, #question.options(question.current(approval)))
end

--- The keys as virtual lines, as many as the narrowest window on the chat needs.
---@param approval codex-chat.Approval
---@param width integer
---@return table[][]
local function key_lines(approval, width)
  local keys = require("codex-chat.config").get().keys
  local lines, line, used = {}, nil, 0
  local function add(key, text)
    local size = api.nvim_strwidth(key) + 1 + #text
    if not line or used + size > width then
      line, used = { { "  ", "CodexChatKeyText" } }, 2
      lines[#lines + 1] = line
    end
    used = used + size + 3
    vim.list_extend(line, { { key, "CodexChatKey" }, { " " .. text .. "   ", "CodexChatKeyText" } })
  end
  local field = require("codex-chat.question").current(approval)
  if field and #approval.fields > 1 then
    local label = field.label:gsub("%c", " ")
    local text = ("%d of %d: %s"):format(approval.at or 1, #approval.fields, label)
    lines[1] = { { "  " .. vim.fn.strcharpart(text, 0, width - 4), "CodexChatKeyText" } }
  end
  local count = numbers(approval)
  if count > 0 then
    add(count == 1 and "1" or ("1-%d"):format(count), "pick")
  end
  for _, decision in ipairs(decisions) do
    if offers(approval, decision) then
      add(keys[decision] or (":CodexChat " .. decision:gsub("_", "-")), word(approval, decision))
    end
  end
  return lines
end

--- The pending approval that the cursor of the current window is on.
---@param chat codex-chat.Chat
---@return codex-chat.Approval?
local function at_cursor(chat)
  local row = api.nvim_win_get_cursor(0)[1] - 1
  for _, approval in ipairs(chat.approvals) do
    local first, stop = blocks.group_range(chat, approval.block)
    if first and row >= first and row < stop then
      return approval
    end
  end
end

--- Maps a key that counts only on the lines of an approval that `wants` it; elsewhere it is itself.
---@param chat codex-chat.Chat
---@param lhs string
---@param wants fun(approval: codex-chat.Approval): boolean
---@param call string Lua on our module
---@param desc string
local function map_key(chat, lhs, wants, call, desc)
  vim.keymap.set("n", lhs, function()
    local approval = at_cursor(chat)
    if approval and wants(approval) then
      return ("<Cmd>lua require('codex-chat.approval').%s<CR>"):format(call)
    end
    return lhs
  end, {
    buffer = chat.buf,
    expr = true,
    nowait = true,
    replace_keycodes = true,
    desc = "codex-chat: " .. desc .. ", on what is asked",
  })
end

--- Sets the keys while something is pending; without, `a`, `s`, `d`, `c` and numbers are not mapped
--- at all.
---@param chat codex-chat.Chat
local function map(chat)
  local keys = require("codex-chat.config").get().keys
  local wanted = #chat.approvals > 0
  if wanted == (chat.approval_keys == true) then
    return
  end
  chat.approval_keys = wanted
  for _, decision in ipairs(decisions) do
    local lhs = keys[decision]
    if lhs and wanted then
      map_key(chat, lhs, function(approval)
        return offers(approval, decision)
      end, ("answer_at_cursor('%s')"):format(decision), words[decision])
    elseif lhs then
      pcall(vim.keymap.del, "n", lhs, { buffer = chat.buf })
    end
  end
  for number = 1, keys.pick and 9 or 0 do
    if wanted then
      map_key(chat, tostring(number), function(approval)
        return number <= numbers(approval)
      end, ("pick_at_cursor(%d)"):format(number), "pick")
    else
      pcall(vim.keymap.del, "n", tostring(number), { buffer = chat.buf })
    end
  end
end

--- Shows the keys below every pending approval, where its lines are now.
---@param chat codex-chat.Chat
function M.refresh(chat)
  if #chat.approvals == 0 and not chat.approval_keys then
    return
  end
  map(chat)
  local width = vim.o.columns
  for _, win in ipairs(registry.wins(chat.buf)) do
    width = math.min(width, api.nvim_win_get_width(win))
  end
  local kept = {}
  for _, approval in ipairs(chat.approvals) do
    local _, stop = blocks.group_range(chat, approval.block)
    if stop then
      approval.mark = api.nvim_buf_set_extmark(chat.buf, ns, stop - 1, 0, {
        id = approval.mark,
        virt_lines = key_lines(approval, width),
      })
      kept[approval.mark] = true
    end
  end
  for _, mark in ipairs(api.nvim_buf_get_extmarks(chat.buf, ns, 0, -1, {})) do
    if not kept[mark[1]] then
      api.nvim_buf_del_extmark(chat.buf, ns, mark[1])
    end
  end
end

---@param chat codex-chat.Chat
local function refresh_in_place(chat)
  -- Virtual lines take room on the screen as lines do.
  local view = require("codex-chat.view")
  local held = view.hold(chat, blocks.prompt_row(chat))
  M.refresh(chat)
  view.release(chat, held, {})
end

--- The chat's windows have other widths.
---@param chat codex-chat.Chat
function M.resize(chat)
  if #chat.approvals > 0 and api.nvim_buf_is_loaded(chat.buf) then
    refresh_in_place(chat)
  end
end

---@type table<string, string> what the user said, by id, until the host has it
local given = {}

--- Adds or removes a pending approval, as the host says.
---@param chat codex-chat.Chat
---@param change { id: string, remove?: boolean, block?: string, kind?: string, choices?: string[], fields?: codex-chat.Field[], url?: string }
function M.set(chat, change)
  local others = vim.tbl_filter(function(approval)
    return approval.id ~= change.id
  end, chat.approvals)
  local gone = #others < #chat.approvals
  chat.approvals = others
  if not change.remove then
    local choices = change.choices
    if type(choices) ~= "table" or #choices == 0 then
      choices = decisions
    end
    table.insert(chat.approvals, {
      id = change.id,
      block = change.block,
      kind = change.kind or "command",
      choices = choices,
      fields = change.fields,
      url = change.url,
    })
  end
  refresh_in_place(chat)
  require("codex-chat.status").refresh(chat)
  if change.remove and gone then
    require("codex-chat.events").emit("ApprovalAnswered", {
      buf = chat.buf,
      id = change.id,
      decision = given[change.id] or "withdrawn",
    })
  end
  given[change.id] = nil
end

---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@param decision string
---@param reason? string
---@return boolean
---@param answers? table<string, any> of questions
local function answer(chat, approval, decision, reason, answers)
  if not offers(approval, decision) then
    vim.notify(
      ("codex-chat: this cannot be answered with %s, only with %s."):format(
        words[decision],
        table.concat(approval.choices, ", ")
      ),
      vim.log.levels.WARN
    )
    return false
  end
  given[approval.id] = decision
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

--- What to do with answers to questions: the whole of them, and each step on the way.
---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@return fun(answers: table<string, any>) done
---@return fun() moved
local function takers(chat, approval)
  return function(answers)
    if is_pending(chat, approval) then
      answer(chat, approval, "accept", nil, answers)
    end
  end, function()
    if is_pending(chat, approval) then
      refresh_in_place(chat)
    end
  end
end

--- Opens a page once the user has said so before its whole address, wherever they were.
---
--- SECURITY: the host has let plain http and https addresses through only.
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
    local _, err = vim.ui.open(approval.url)
    if err then
      vim.notify(
        ("codex-chat: the page was not opened: %s. Its address stands in the conversation."):format(
          err
        ),
        vim.log.levels.WARN
      )
    end
    answer(chat, approval, "accept")
  end)
end

---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@param decision string
local function ask_and_answer(chat, approval, decision)
  if decision == "accept" and approval.fields then
    require("codex-chat.question").ask(approval, takers(chat, approval))
  elseif decision == "accept" and approval.url then
    open_page(chat, approval)
  elseif decision ~= "decline" then
    answer(chat, approval, decision)
  else
    vim.ui.input({ prompt = "Why not? (may be empty) " }, function(reason)
      -- Escape takes the decision back.
      if reason and is_pending(chat, approval) then
        answer(chat, approval, decision, reason)
      end
    end)
  end
end

--- A key was pressed on the lines of an approval.
---@param decision string
function M.answer_at_cursor(decision)
  local chat = registry.get(0)
  local approval = chat and at_cursor(chat)
  if chat and approval then
    ask_and_answer(chat, approval, decision)
  end
end

--- A number was pressed on the lines of a question.
---@param number integer
function M.pick_at_cursor(number)
  local chat = registry.get(0)
  local approval = chat and at_cursor(chat)
  if chat and approval then
    require("codex-chat.question").pick(approval, number, takers(chat, approval))
  end
end

--- What a command means from anywhere: the approval under the cursor, else the oldest.
---@return codex-chat.Chat?
---@return codex-chat.Approval?
local function meant()
  local chat = require("codex-chat.chat").here()
  if not chat or #chat.approvals == 0 then
    chat = vim.iter(registry.all()):find(function(c)
      return #c.approvals > 0
    end)
  end
  if not chat then
    vim.notify("codex-chat: nothing waits for an answer.")
    return
  end
  return chat, api.nvim_get_current_buf() == chat.buf and at_cursor(chat) or chat.approvals[1]
end

--- A command or mapping, from anywhere.
---@param decision string
---@param reason? string given with the command, so not asked for
function M.answer(decision, reason)
  local chat, approval = meant()
  if not chat or not approval then
    return
  elseif reason then
    answer(chat, approval, decision, reason)
  else
    ask_and_answer(chat, approval, decision)
  end
end

--- `:CodexChat answer [text]`: tells the current question this, or asks for what is open.
---@param text string
function M.tell(text)
  local chat, approval = meant()
  if not chat or not approval then
    return
  elseif text == "" then
    ask_and_answer(chat, approval, "accept")
    return
  elseif not approval.fields then
    vim.notify(
      "codex-chat: that is no question. Answer it with :CodexChat accept or :CodexChat decline.",
      vim.log.levels.WARN
    )
    return
  end
  local err = require("codex-chat.question").tell(approval, text, takers(chat, approval))
  if err then
    vim.notify("codex-chat: " .. err:gsub("%c", " ") .. ".", vim.log.levels.WARN)
  end
end

--- Answers without asking anything more: the approval of this id, else the oldest.
---@param chat codex-chat.Chat
---@param decision codex-chat.Decision
---@param opts codex-chat.AnswerOpts
---@return boolean answered
function M.answer_as(chat, decision, opts)
  local approval = vim.iter(chat.approvals):find(function(it)
    return not opts.id or it.id == opts.id
  end)
  return approval ~= nil and answer(chat, approval, decision, opts.reason)
end

--- Goes to the next pending approval, or to the one before, around the ends.
---@param chat codex-chat.Chat
---@param step 1|-1
function M.jump(chat, step)
  local rows = {}
  for _, approval in ipairs(chat.approvals) do
    local first = blocks.range(chat, approval.block)
    rows[#rows + 1] = first
  end
  table.sort(rows)
  if #rows == 0 then
    vim.notify("codex-chat: nothing waits for an answer.")
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
  vim.cmd("normal! m'")
  api.nvim_win_set_cursor(0, { target + 1, 0 })
end

return M
