--- The keys that answer an approval: shown below it, and mapped while the cursor is on its lines.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local borrow = require("codex-chat.approval.borrow")
local fit = require("codex-chat.approval.fit")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.approval")

--- The decisions, in the order in which they are shown.
M.decisions = { "accept", "accept_session", "accept_project", "decline", "cancel" }
M.words = {
  accept = "accept",
  accept_session = "accept for this chat",
  accept_project = "accept for this project",
  decline = "decline",
  cancel = "decline and stop",
}

--- What a key says, the same for every kind of question: "always" means this exact command, these files,
--- this tool or this host, while Codex runs in this conversation (Codex 0.171).
---@type table<string, string>
local labels = {
  accept = "once",
  accept_session = "always in this chat",
  accept_project = "always in this project",
  decline = "no, because …",
  cancel = "no, and stop",
}

--- The few that mean something else for a kind of question.
---@type table<string, table<string, string>>
local labels_of = {
  questions = { accept = "answer" },
  page = { accept = "open the page" },
  network = { accept = "in this turn" },
}

--- What a key does on the lines of an approval. `approval/init.lua` is above this module and fills
--- them in.
---@type fun(decision: string)
M.on_answer = function() end
---@type fun(number: integer) picks an option of the current question
M.on_pick = function() end

---@param approval codex-chat.Approval
---@param decision string
---@return string
local function label(approval, decision)
  if decision == "accept" and approval.is_edited then
    return "as edited"
  end
  return (labels_of[approval.kind] or {})[decision] or labels[decision]
end

--- Whether the approval takes this decision.
---@param approval codex-chat.Approval
---@param decision string
---@return boolean
function M.offers(approval, decision)
  return vim.list_contains(approval.choices, decision)
end

--- How many options of the current field a number picks.
---@param approval codex-chat.Approval
---@return integer count at most 9: one key each
local function numbers(approval)
  local question = require("codex-chat.approval.form")
  return math.min(9, #question.options(question.current(approval)))
end

--- The keys as virtual lines in the box of the question, for the narrowest window of the chat.
---@param approval codex-chat.Approval
---@param width integer columns of text
---@return table[][]
local function key_lines(approval, width)
  local keys = require("codex-chat.config").get().keys
  local cut, size_of = require("codex-chat.message").cut, api.nvim_strwidth
  local lines, line, used = {}, nil, 0
  local function begin()
    line, used = { { "▌ ", "CodexChatAsks" } }, 0
    lines[#lines + 1] = line
  end
  local function add(key, text)
    text = cut(text, width - 3 - size_of(key))
    local size = size_of(key) + 3 + size_of(text)
    if not line or used + 3 + size > width then
      begin()
    elseif used > 0 then
      line[#line + 1], used = { "   ", "CodexChatAsksLine" }, used + 3
    end
    used = used + size
    vim.list_extend(line, {
      { (" %s "):format(key), { "CodexChatAsksLine", "CodexChatKey" } },
      { " " .. text, { "CodexChatAsksLine", "CodexChatKeyText" } },
    })
  end
  local field = require("codex-chat.approval.form").current(approval)
  if field and #approval.fields > 1 then
    local name = field.label:gsub("%c", " ")
    local text = ("%d of %d: %s"):format(approval.at or 1, #approval.fields, name)
    begin()
    text = cut(text, width)
    line[2] = { text, { "CodexChatAsksLine", "CodexChatKeyText" } }
    used = width
  end
  local count = numbers(approval)
  if count > 0 then
    add(count == 1 and "1" or ("1-%d"):format(count), "pick")
  end
  if approval.diff then
    add(keys.edit or ":CodexChat patch", "see and edit as a diff")
  end
  for _, decision in ipairs(M.decisions) do
    if M.offers(approval, decision) then
      add(keys[decision] or (":CodexChat " .. decision:gsub("_", "-")), label(approval, decision))
    end
  end
  for _, each in ipairs(lines) do
    local size = 0
    for n = 2, #each do
      size = size + size_of(each[n][1])
    end
    each[#each + 1] = { (" "):rep(math.max(0, width - size)), "CodexChatAsksLine" }
  end
  return lines
end

--- The pending approval that the cursor of the current window is on.
---@param chat codex-chat.Chat
---@return codex-chat.Approval?
function M.at_cursor(chat)
  local row = api.nvim_win_get_cursor(0)[1] - 1
  for _, approval in ipairs(chat.approvals) do
    local first, stop = blocks.group_range(chat, approval.block)
    if first and row >= first and row < stop then
      return approval
    end
  end
end

--- The mappings of this approval while the cursor is on its lines.
---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@return table<string, codex-chat.Key>
local function keys_of(chat, approval)
  local keys = require("codex-chat.config").get().keys
  local wanted = {}
  local function add_keys(lhs, keys_to_run, desc, wants)
    wanted[lhs] = {
      desc = "codex-chat: " .. desc .. ", on what is asked",
      press = function()
        local here = M.at_cursor(chat)
        if here and wants(here) then
          return keys_to_run
        end
      end,
    }
  end
  local function add(lhs, call, desc, wants)
    local run = ("<Cmd>lua require('codex-chat.approval.keys').%s<CR>"):format(call)
    add_keys(lhs, run, desc, wants)
  end
  if approval.diff and keys.edit then
    add_keys(keys.edit, "<Plug>(codex-chat-patch)", "see and edit as a diff", function(asked)
      return asked.diff == true
    end)
  end
  for _, decision in ipairs(M.decisions) do
    if keys[decision] and M.offers(approval, decision) then
      add(keys[decision], ("on_answer('%s')"):format(decision), M.words[decision], function(asked)
        return M.offers(asked, decision)
      end)
    end
  end
  for number = 1, keys.pick and numbers(approval) or 0 do
    add(tostring(number), ("on_pick(%d)"):format(number), "pick", function(asked)
      return number <= numbers(asked)
    end)
  end
  return wanted
end

--- Maps the keys while the cursor is on the lines of an approval, and only then: anywhere else every
--- key is the user's.
---@param chat codex-chat.Chat
local function follow_cursor(chat)
  local is_here = api.nvim_get_current_buf() == chat.buf
  local approval = is_here and M.at_cursor(chat)
  if approval then
    fit.unread(chat, approval)
  end
  borrow.set(chat, approval and keys_of(chat, approval) or {})
end

--- Watches the cursor while an approval is pending.
---@param chat codex-chat.Chat
local function watch_cursor(chat)
  local wanted = #chat.approvals > 0
  if wanted == (chat.key_watch ~= nil) then
    return
  elseif not wanted then
    api.nvim_del_augroup_by_id(chat.key_watch)
    chat.key_watch = nil
    return
  end
  chat.key_watch = api.nvim_create_augroup("codex-chat.approval." .. chat.buf, {})
  -- Neovim raises these before it waits for the next key.
  api.nvim_create_autocmd(
    { "CursorMoved", "CursorMovedI", "InsertLeave", "WinEnter", "BufEnter" },
    {
      group = chat.key_watch,
      buffer = chat.buf,
      callback = function()
        follow_cursor(chat)
      end,
    }
  )
  api.nvim_create_autocmd({ "WinLeave", "BufLeave" }, {
    group = chat.key_watch,
    buffer = chat.buf,
    callback = function()
      borrow.set(chat, {})
    end,
  })
end

--- Shows the keys below every pending approval.
---@param chat codex-chat.Chat
function M.refresh(chat)
  if #chat.approvals == 0 and not chat.key_watch then
    return
  end
  watch_cursor(chat)
  follow_cursor(chat)
  require("codex-chat.ui.waiting").changed()
  local width = require("codex-chat.buffer.columns").narrowest(chat.buf, vim.o.columns)
  local lowest = fit.lowest(chat.buf)
  local kept = {}
  for _, approval in ipairs(chat.approvals) do
    local first, stop = blocks.group_range(chat, approval.block)
    if first and stop then
      -- Extmarks move with the text: they are set again only if they are misplaced or would look
      -- different.
      local looks = ("%d %d %s %d %d"):format(
        width,
        approval.at or 1,
        tostring(approval.is_edited),
        lowest or 0,
        stop - first
      )
      local row = approval.mark
        and api.nvim_buf_get_extmark_by_id(chat.buf, ns, approval.mark, {})[1]
      if row ~= stop - 1 or approval.shown ~= looks then
        approval.mark = api.nvim_buf_set_extmark(chat.buf, ns, stop - 1, 0, {
          id = approval.mark,
          virt_lines = key_lines(approval, width),
          -- From the sign column on, where the box has its bar.
          virt_lines_leftcol = true,
        })
        approval.shown = looks
        fit.note(chat.buf, approval, first, stop, width)
      end
      kept[approval.mark] = true
    end
  end
  -- Not by a search, which would visit the marks of every block at every frame.
  for mark in pairs(chat.key_marks or {}) do
    if not kept[mark] then
      api.nvim_buf_del_extmark(chat.buf, ns, mark)
    end
  end
  chat.key_marks = kept
end

--- Does the same and keeps the text where it is on the screen.
---@param chat codex-chat.Chat
function M.refresh_in_place(chat)
  -- Virtual lines take room on the screen, as lines do.
  local view = require("codex-chat.buffer.view")
  local held = view.hold(chat, blocks.prompt_row(chat))
  M.refresh(chat)
  view.release(chat, held, {})
end

--- The widths of the chat's windows have changed.
---@param chat codex-chat.Chat
function M.resize(chat)
  if #chat.approvals > 0 and api.nvim_buf_is_loaded(chat.buf) then
    M.refresh_in_place(chat)
  end
end

return M
