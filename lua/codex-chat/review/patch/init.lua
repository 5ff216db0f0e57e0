--- A patch that waits for an answer: seen as a diff, edited, and accepted as it stands there.
local M = {}

local approvals = require("codex-chat.approval")
local files = require("codex-chat.review.patch.files")
local keys = require("codex-chat.review.keys")
local say = require("codex-chat.message")
local window = require("codex-chat.review.patch.window")

local api = vim.api

---@class (exact) codex-chat.PatchView
---@field id string of the question
---@field chat codex-chat.Chat
---@field approval codex-chat.Approval
---@field left string the checkpoint of the files as they are
---@field proposed string the same with the patch
---@field fixed? string why nothing can be edited
---@field files codex-chat.PatchFile[]
---@field at integer the file that is shown
---@field over? string how the question was answered otherwise
---@field applying? boolean whether the host is applying what the user wrote
---@field tab? integer while it is open
---@field left_win integer
---@field right_win integer
---@field from integer the window that it was opened from
---@field scrollopt string the user's
---@field group integer

---@type table<string, codex-chat.PatchView> by the question's id
local views = {}

--- The patch that this tab page shows, or this buffer is of: a `:qall` that asks about it shows it anywhere.
---@return codex-chat.PatchView?
local function here()
  local tab, buf = api.nvim_get_current_tabpage(), api.nvim_get_current_buf()
  for _, view in pairs(views) do
    if
      view.tab == tab
      or vim.iter(view.files):any(function(file)
        return file.right == buf
      end)
    then
      return view
    end
  end
end

---@param view codex-chat.PatchView
---@return boolean
local function is_edited(view)
  return vim.iter(view.files):any(files.is_edited)
end

--- Forgets a patch whose windows are closed, and removes its buffers.
---@param view codex-chat.PatchView
---@param kept table<integer, true> buffers with words of the user's
local function forget(view, kept)
  views[view.id] = nil
  for _, file in ipairs(view.files) do
    for _, buf in ipairs({ file.left, file.right }) do
      if not kept[buf] and api.nvim_buf_is_valid(buf) then
        pcall(api.nvim_buf_delete, buf, { force = true })
      end
    end
  end
end

---@param view codex-chat.PatchView
local function discard(view)
  window.close(view)
  forget(view, {})
end

--- Forgets a patch that was answered otherwise; what the user wrote stays in ordinary buffers.
---@param view codex-chat.PatchView
local function let_go(view)
  local kept = {}
  for _, file in ipairs(vim.tbl_filter(files.has_words, view.files)) do
    kept[file.right] = true
  end
  forget(view, kept)
end

--- The question is answered without what the user wrote: that stays in its buffers.
---@param view codex-chat.PatchView
---@param how string
local function end_otherwise(view, how)
  local kept = vim.tbl_filter(files.has_words, view.files)
  if #kept == 0 then
    discard(view)
    return
  end
  view.over = how
  for _, file in ipairs(kept) do
    vim.bo[file.right].buflisted, vim.bo[file.right].modified = true, true
  end
  if window.is_open(view) then
    window.winbars(view)
  else
    let_go(view)
  end
  local names = vim.tbl_map(function(file)
    return (":buffer %d (%s)"):format(file.right, file.name)
  end, kept)
  local message = "the patch was answered without your changes (%s). What you wrote is in %s."
  say.warn(message:format(how, table.concat(names, ", ")))
end

window.on_closed = function(view)
  if view.over then
    let_go(view)
  end
  approvals.set_edited(view.chat, view.approval, is_edited(view))
end

---@param view codex-chat.PatchView
---@param buf integer
local function on_write(view, buf)
  api.nvim_create_autocmd("BufWriteCmd", {
    buffer = buf,
    callback = function()
      -- It stays modified: Neovim then asks before it quits.
      if view.over then
        say.warn("the question is over: `:saveas` or a yank keeps this text.")
      else
        say.info(
          ("kept with the question. %s accepts the patch as it stands here."):format(
            keys.of("accept")
          )
        )
      end
    end,
  })
end

---@param chat codex-chat.Chat
---@param approval codex-chat.Approval
---@param proposal codex-chat.Proposal
local function start(chat, approval, proposal)
  local view = {
    id = approval.id,
    chat = chat,
    approval = approval,
    left = proposal.left,
    proposed = proposal.proposed,
    fixed = proposal.fixed,
    files = files.of(proposal, chat.root),
    at = 1,
  }
  views[view.id] = view
  for _, file in ipairs(view.files) do
    if vim.bo[file.right].buftype == "acwrite" then
      on_write(view, file.right)
    end
  end
  window.open(view)
  if view.fixed then
    say.info(("this patch can be viewed but not edited: %s."):format(view.fixed))
  end
end

--- Shows the patch of the question under the cursor, else of the oldest one, as a diff.
function M.open()
  local chat, approval = approvals.target_patch()
  if not chat then
    return
  elseif not approval or not approval.diff then
    say.info("no patch waits for an answer.")
    return
  end
  local old = views[approval.id]
  if old and (window.is_open(old) or is_edited(old)) then
    window.open(old)
    return
  elseif old then
    -- The files may have changed since.
    discard(old)
  end
  local params = { id = approval.id }
  require("codex-chat.host.request").run(chat, "patch/show", params, function(proposal, err)
    if err then
      say.error(err)
    elseif #proposal.files == 0 then
      say.info("the patch changes no file.")
    elseif vim.list_contains(chat.approvals, approval) and not views[approval.id] then
      start(chat, approval, proposal)
    end
  end)
end

--- Has the host apply what the user wrote, and answer Codex.
---@param view codex-chat.PatchView
local function apply(view)
  if view.applying then
    return
  end
  view.applying = true
  approvals.note(view.id, "edited")
  require("codex-chat.host.request").run(view.chat, "patch/apply", {
    id = view.id,
    left = view.left,
    proposed = view.proposed,
    files = files.edits(view.files),
  }, function(applied, err)
    view.applying = nil
    if err then
      approvals.note(view.id, nil)
      say.error(err)
      if not vim.list_contains(view.chat.approvals, view.approval) then
        end_otherwise(view, "withdrawn")
      end
      return
    end
    if #applied.conflicts > 0 then
      local names = table.concat(applied.conflicts, ", ")
      say.warn(("applied, except to %s, which was changed at that moment."):format(names))
      end_otherwise(view, "edited")
      return
    end
    discard(view)
    say.info("applied as you edited it.")
  end)
end

approvals.instead = function(_, approval, decision)
  local view = views[approval.id]
  if not view then
    return false
  elseif view.applying then
    return true
  elseif not is_edited(view) then
    return false
  elseif decision == "accept" then
    apply(view)
    return true
  elseif decision == "accept_session" then
    say.warn("you have edited the patch: accept it once, or undo your changes first.")
    return true
  end
  return false
end

require("codex-chat.events").hook("ApprovalAnswered", function(data)
  local view = views[data.id]
  if view and not view.applying then
    end_otherwise(view, data.decision)
  end
end)

for _, event in ipairs({ "HostEnded", "Closed" }) do
  require("codex-chat.events").hook(
    event,
    vim.schedule_wrap(function()
      for _, view in pairs(vim.tbl_extend("force", {}, views)) do
        if not view.over and not vim.list_contains(view.chat.approvals, view.approval) then
          end_otherwise(view, "withdrawn")
        end
      end
    end)
  )
end

---@param view codex-chat.PatchView
---@param step 1|-1
local function go(view, step)
  view.at = (view.at - 1 + step) % #view.files + 1
  window.show(view)
end

---@param view codex-chat.PatchView
local function leave_out(view)
  local file = view.files[view.at]
  if view.fixed then
    say.info("this patch cannot be edited: " .. view.fixed .. ".")
    return
  end
  file.is_left_out = not file.is_left_out or nil
  window.winbars(view)
end

---@param view codex-chat.PatchView
local function put_back(view)
  if api.nvim_get_current_win() ~= view.right_win or not vim.bo.modifiable then
    say.info("there is nothing here to put back.")
    return
  end
  vim.cmd("silent! diffget")
  vim.cmd("diffupdate")
  window.winbars(view)
end

---@param view codex-chat.PatchView
local function accept(view)
  if not vim.list_contains(view.chat.approvals, view.approval) then
    say.warn("the question is over. `:saveas` or a yank keeps this text.")
    return
  end
  approvals.answer_as(view.chat, "accept", { id = view.id })
end

local function help()
  local lines = {}
  for _, key in ipairs(keys.keys) do
    if window.actions[key.action] then
      lines[#lines + 1] = ("    %-12s %s"):format(key.lhs, window.actions[key.action])
    end
  end
  lines[#lines + 1] = "    ]c [c do dp  as in every diff"
  require("codex-chat.ui.page").show(lines, "patch/keys")
end

---@param view codex-chat.PatchView
local function close(view)
  local has_edits = not view.over and is_edited(view)
  window.close(view)
  if has_edits then
    say.info("your changes are kept: accepting the patch applies them.")
  end
end

---@type table<string, fun(view: codex-chat.PatchView)>
local actions = {
  accept = accept,
  reject = put_back,
  ["reject-file"] = leave_out,
  next = function(view)
    go(view, 1)
  end,
  prev = function(view)
    go(view, -1)
  end,
  close = close,
  help = help,
}

--- Runs an action of a review's key; false if this tab page shows no patch.
---@param action string
---@return boolean
function M.act(action)
  local view = here()
  if not view then
    return false
  end
  local run = actions[action]
  if run then
    run(view)
  else
    say.info("a patch that waits can only be accepted, edited or declined.")
  end
  return true
end

return M
