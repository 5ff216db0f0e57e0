--- The tab page of a patch that waits: on the left a file as it is, on the right as it would be.
local M = {}

local files = require("codex-chat.review.patch.files")
local keys = require("codex-chat.review.keys")
local list = require("codex-chat.review.list")

local api = vim.api

--- The actions that a key has here, for the help.
M.actions = {
  accept = "accept the patch, as it stands here",
  reject = "put this change back",
  ["reject-file"] = "leave the file as it is, or no longer",
  next = "next file",
  prev = "previous file",
  close = "back to the question; what you wrote stays",
  help = "show these keys",
}

---@param view codex-chat.PatchView
---@return boolean
function M.is_open(view)
  return view.tab ~= nil
    and api.nvim_tabpage_is_valid(view.tab)
    and api.nvim_win_is_valid(view.left_win)
    and api.nvim_win_is_valid(view.right_win)
end

---@param view codex-chat.PatchView
---@return string
local function state_of(view)
  local file = view.files[view.at]
  if view.over then
    return "answered: " .. view.over
  elseif file.is_left_out then
    return "stays as it is"
  elseif file.why then
    return "not shown"
  elseif files.is_edited(file) then
    return "edited by you"
  end
  local words = { created = "new file", deleted = "to be deleted", renamed = "renamed" }
  return words[file.change] or "as proposed"
end

--- The keys, as many as have room.
---@param view codex-chat.PatchView
---@param room integer columns
---@return string
local function hint(view, room)
  local back = keys.of("close") .. " back "
  local accept = keys.of("accept") .. " accept  "
  local hints = { accept .. back, accept:sub(1, -2) }
  if view.over then
    hints = { keys.of("close") .. " close " }
  elseif view.fixed then
    table.insert(hints, 1, ("%s%s· not editable: %s "):format(accept, back, view.fixed))
  else
    table.insert(hints, 1, ("%s%s leave out  %s"):format(accept, keys.of("reject-file"), back))
    if vim.iter(view.files):any(files.is_edited) then
      table.insert(hints, 1, (hints[1]:gsub("accept", "accept as edited", 1)))
    end
  end
  for _, words in ipairs(hints) do
    if api.nvim_strwidth(words) <= room then
      return words
    end
  end
  return ""
end

--- Draws the winbars.
---@param view codex-chat.PatchView
function M.winbars(view)
  if not M.is_open(view) then
    return
  end
  local file = view.files[view.at]
  local left = file.change == "created" and not file.before and "not there"
    or file.old and require("codex-chat.review.text").relative(file.old, view.chat.root)
    or file.name
  vim.wo[view.left_win][0].winbar = ("%%#CodexChatReviewTitle# now %%*%%#CodexChatMuted#%s%%*"):format(
    list.plain(left)
  )
  local count = #view.files > 1 and ("%d of %d · "):format(view.at, #view.files) or ""
  local width = api.nvim_win_get_width(view.right_win) - #" patch "
  -- The left side names the file as well.
  local what, keys_here
  for _, name in ipairs({ file.name .. " · ", "" }) do
    what = count .. name .. state_of(view)
    keys_here = hint(view, width - api.nvim_strwidth(what) - 1)
    if keys_here ~= "" then
      break
    end
  end
  what = require("codex-chat.message").cut(what, width)
  vim.wo[view.right_win][0].winbar = ("%%#CodexChatReviewTitle# patch %%*%%#CodexChatMuted#%s%%=%s%%*"):format(
    list.plain(what),
    list.plain(keys_here)
  )
end

---@param view codex-chat.PatchView
---@param on boolean
local function diff(view, on)
  for _, win in ipairs({ view.left_win, view.right_win }) do
    if api.nvim_win_is_valid(win) then
      api.nvim_win_call(win, function()
        vim.cmd(on and "diffthis" or "diffoff")
      end)
    end
  end
end

--- Shows the file at `view.at`, with the cursor on its first change.
---@param view codex-chat.PatchView
function M.show(view)
  local file = view.files[view.at]
  diff(view, false)
  api.nvim_win_set_buf(view.left_win, file.left)
  api.nvim_win_set_buf(view.right_win, file.right)
  -- Neovim takes lines that only the left side has for added ones.
  vim.wo[view.left_win][0].winhighlight = "DiffAdd:CodexChatReviewRemoved"
  for _, buf in ipairs({ file.left, file.right }) do
    keys.map(buf, true, M.actions)
  end
  if file.is_text then
    diff(view, true)
    api.nvim_win_call(view.right_win, function()
      vim.cmd("silent! normal! gg")
      if vim.fn.diff_hlID(1, 1) == 0 and vim.fn.diff_filler(1) == 0 then
        vim.cmd("silent! normal! ]c")
      end
      vim.cmd("silent! normal! zv")
      vim.cmd("syncbind")
    end)
  end
  M.winbars(view)
end

---@param view codex-chat.PatchView
local function watch(view)
  view.group = api.nvim_create_augroup("codex-chat.patch." .. view.id, {})
  api.nvim_create_autocmd("WinClosed", {
    group = view.group,
    callback = function(args)
      local win = tonumber(args.match)
      if win == view.left_win or win == view.right_win then
        vim.schedule(function()
          M.close(view)
        end)
      end
    end,
  })
  -- A session must not restore windows of a patch that is gone.
  api.nvim_create_autocmd("VimLeavePre", {
    group = view.group,
    callback = function()
      M.close(view)
    end,
  })
  for _, file in ipairs(view.files) do
    api.nvim_create_autocmd({ "TextChanged", "InsertLeave", "OptionSet" }, {
      group = view.group,
      buffer = file.right,
      callback = function()
        M.winbars(view)
      end,
    })
  end
end

--- Opens the tab page, or goes to it.
---@param view codex-chat.PatchView
function M.open(view)
  if M.is_open(view) then
    api.nvim_set_current_win(view.right_win)
    return
  end
  view.from = api.nvim_get_current_win()
  -- Diff mode adds to it, and takes away more than it has added.
  view.scrollopt = vim.o.scrollopt
  local file = view.files[view.at]
  vim.cmd(("tab sbuffer %d"):format(file.left))
  view.tab, view.left_win = api.nvim_get_current_tabpage(), api.nvim_get_current_win()
  local stacked = vim.o.diffopt:find("horizontal", 1, true) ~= nil
  api.nvim_tabpage_set_var(view.tab, "codex_chat_patch", view.id)
  view.right_win = api.nvim_open_win(file.right, true, {
    win = view.left_win,
    split = stacked and "below" or "right",
  })
  watch(view)
  M.show(view)
end

--- Called when the tab page was closed, by whatever means.
---@type fun(view: codex-chat.PatchView)
M.on_closed = function() end

--- Closes the tab page, and goes back to where the user came from. The buffers stay.
---@param view codex-chat.PatchView
function M.close(view)
  if not view.tab then
    return
  end
  pcall(api.nvim_del_augroup_by_id, view.group)
  local tab, is_here = view.tab, api.nvim_get_current_tabpage() == view.tab
  view.tab = nil
  diff(view, false)
  vim.o.scrollopt = view.scrollopt
  if api.nvim_tabpage_is_valid(tab) then
    if #api.nvim_list_tabpages() > 1 then
      pcall(vim.cmd, ("tabclose %d"):format(api.nvim_tabpage_get_number(tab)))
    else
      for _, win in ipairs({ view.left_win, view.right_win }) do
        if #api.nvim_tabpage_list_wins(tab) > 1 then
          pcall(api.nvim_win_close, win, true)
        elseif api.nvim_win_is_valid(win) then
          api.nvim_win_call(win, function()
            vim.cmd("hide enew")
          end)
        end
      end
    end
  end
  if is_here and api.nvim_win_is_valid(view.from) then
    api.nvim_set_current_win(view.from)
  end
  M.on_closed(view)
end

return M
