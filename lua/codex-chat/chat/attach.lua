--- Makes a buffer a chat: its autocommands and keys, how it unloads and how it closes.
local M = {}

local registry = require("codex-chat.registry")
local reread = require("codex-chat.chat.reread")
local saving = require("codex-chat.chat.write")
local text_of = require("codex-chat.chat.text")
local truth = require("codex-chat.disk.truth")

local api = vim.api

---@param chat codex-chat.Chat
local function watch(chat)
  local buf = chat.buf
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = chat.augroup, buffer = buf, callback = callback })
  end
  on("BufWriteCmd", function(args)
    saving.write(chat, args)
  end)
  on("BufFilePost", function()
    saving.keep_name(chat)
  end)
  on({ "BufModifiedSet", "QuitPre" }, function()
    -- The file is always up to date: leaving must never ask.
    if vim.bo[buf].modified then
      vim.bo[buf].modified = false
    end
  end)
  on("BufWinEnter", function()
    -- Only the current window: one that was split off has its folds already.
    local win = api.nvim_get_current_win()
    if api.nvim_win_get_buf(win) == buf then
      require("codex-chat.ui.window").shown(chat, win)
      require("codex-chat.ui.hint").show(chat)
    end
  end)
  on("BufWinLeave", function()
    local win = api.nvim_get_current_win()
    if api.nvim_win_get_buf(win) == buf then
      require("codex-chat.ui.last_view").remember(chat, win)
    end
  end)
  api.nvim_create_autocmd({ "WinResized", "VimResized" }, {
    group = chat.augroup,
    callback = function()
      require("codex-chat.ui.winbar").show(chat)
      if api.nvim_buf_is_loaded(buf) then
        require("codex-chat.ui.hint").show(chat)
      end
      if #chat.approvals > 0 then
        require("codex-chat.approval").resize(chat)
      end
    end,
  })
  on("BufEnter", function()
    chat.used = vim.uv.hrtime()
    reread.check(chat)
  end)
  api.nvim_create_autocmd({ "FocusGained", "VimResume" }, {
    group = chat.augroup,
    callback = function()
      if api.nvim_buf_is_loaded(chat.buf) then
        reread.check(chat)
      end
    end,
  })
  on({ "TextChanged", "TextChangedI", "TextChangedP" }, function()
    require("codex-chat.ui.hint").show(chat)
  end)
  on("InsertEnter", function()
    require("codex-chat.buffer.backspace").begin(chat)
    require("codex-chat.ui.hint").show(chat, true)
    chat.has_typed = false
    -- After the screen shows insert mode, since starting a process takes a while.
    require("codex-chat.async").drawn(function()
      require("codex-chat.host").wake(chat)
    end)
  end)
  on("InsertCharPre", function()
    if chat.has_typed then
      return
    end
    local row = api.nvim_win_get_cursor(0)[1] - 1
    if row >= require("codex-chat.buffer.blocks").prompt_row(chat) then
      chat.has_typed = true
      require("codex-chat.host").prepare(chat)
    end
  end)
  on("InsertLeave", function()
    require("codex-chat.ui.hint").show(chat, false)
  end)
  require("codex-chat.buffer.heading").attach(chat)
  on({ "TextChanged", "InsertLeave", "BufLeave" }, function()
    if chat.host ~= "attached" then
      saving.save(chat)
    end
  end)
  on("BufUnload", function()
    M.unload(chat)
  end)
  on("BufWipeout", function()
    M.close(chat)
  end)
end

---@class (exact) codex-chat.Kept what belongs to the text; `:edit` restores it, so that a turn continues
---@field blocks table
---@field undo codex-chat.UndoState?
---@field views table<integer, table> by window

--- Keeps what only the buffer holds while it is unloaded, for when it is read again.
---@param chat codex-chat.Chat
function M.unload(chat)
  if chat.unloaded_lines then
    return
  end
  chat.unloaded_lines = api.nvim_buf_get_lines(chat.buf, 0, -1, false)
  if chat.host ~= "attached" then
    saving.save(chat)
  end
  local views = {}
  for _, win in ipairs(registry.wins(chat.buf)) do
    views[win] = api.nvim_win_call(win, vim.fn.winsaveview)
  end
  chat.kept = {
    blocks = require("codex-chat.buffer.blocks").keep(chat),
    undo = require("codex-chat.buffer.undo").keep(chat.buf),
    views = views,
  }
  -- `:edit` reads it again at once; otherwise the conversation ends in this Neovim.
  vim.schedule(function()
    if chat.unloaded_lines and registry.get(chat.buf) == chat then
      M.stop(chat)
    end
  end)
end

--- Stops a conversation whose text is gone: the host closes it, and nothing is pending.
---@param chat codex-chat.Chat
function M.stop(chat)
  chat.kept = nil
  require("codex-chat.host").close(chat)
  chat.delayed = {}
  require("codex-chat.approval").clear(chat)
end

---@param chat codex-chat.Chat
---@return table data for events
local function about(chat)
  return { buf = chat.buf, path = chat.path, root = chat.root }
end

--- Makes the buffer an ordinary one again.
---@param chat codex-chat.Chat
function M.close(chat)
  M.stop(chat)
  require("codex-chat.events").emit("Closed", about(chat))
  registry.remove(chat.buf)
  require("codex-chat.ui.statusline").forget()
  require("codex-chat.highlight").detach(chat.buf)
  for _, follower in ipairs({ "undo", "fold", "backspace" }) do
    require("codex-chat.buffer." .. follower).detach(chat.buf)
  end
  pcall(api.nvim_del_augroup_by_id, chat.augroup)
end

--- Makes a buffer with a conversation's text a chat.
---@param buf integer
---@param project codex-chat.Project
---@param text? string the file's text, if it was read
---@return codex-chat.Chat
function M.attach(buf, project, text)
  text_of.set_options(buf)
  require("codex-chat.chat.saves").watch()
  ---@type codex-chat.Chat
  local chat = {
    buf = buf,
    path = api.nvim_buf_get_name(buf),
    root = project.root,
    project_dir = project.dir,
    host = "none",
    state = { phase = "idle" },
    blocks = {},
    names = {},
    next_user = 0,
    approvals = {},
    delayed = {},
    used = vim.uv.hrtime(),
    augroup = api.nvim_create_augroup("codex-chat." .. buf, {}),
  }
  if text then
    truth.know(chat, text)
  end
  registry.add(chat)
  require("codex-chat.outside").add(project.root)
  require("codex-chat.project").remember(project)
  require("codex-chat.highlight").setup()
  require("codex-chat.buffer.fold.ufo").attach(chat)
  text_of.load(chat)
  require("codex-chat.ui.window").settle(chat, function()
    require("codex-chat.outside.runtime").set_filetype(buf, "codexchat")
  end)
  watch(chat)
  require("codex-chat.buffer.defer_edits").begin()
  require("codex-chat.complete").attach(chat)
  require("codex-chat.host").keep_on_leave(saving.save)
  require("codex-chat.chat.keys").map(chat)
  require("codex-chat.ui.hint").show(chat)
  for _, win in ipairs(registry.wins(buf)) do
    require("codex-chat.ui.window").shown(chat, win)
  end
  require("codex-chat.ui.winbar").watch()
  require("codex-chat.ui.size").watch()
  require("codex-chat.ui.stay").watch()
  require("codex-chat.async").drawn(require("codex-chat.outside.runtime").warn)
  require("codex-chat.ui.notify").begin()
  require("codex-chat.chat.mksession").begin()
  require("codex-chat.ui.refresh").begin()
  require("codex-chat.tools").begin()
  require("codex-chat.async").drawn(function()
    require("codex-chat.review.signs").begin()
  end)
  require("codex-chat.ui.statusline").forget()
  require("codex-chat.events").emit("Opened", about(chat))
  return chat
end

return M
