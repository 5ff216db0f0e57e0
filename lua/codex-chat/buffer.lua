--- The chat's buffer: how its text comes in, is kept unmodified, and goes.
local M = {}

local document = require("codex-chat.document")
local registry = require("codex-chat.registry")
local saving = require("codex-chat.saving")
local say = require("codex-chat.say")

local api = vim.api

--- The project that the front matter names, where it is the one whose directory the file lies in.
---@param path string
---@param lines string[]
---@return codex-chat.Project
local function project_of(path, lines)
  local projects = require("codex-chat.project")
  for row = 2, math.min(#lines, 20) do
    local value = lines[row]:match("^project:(.*)$")
    value = value and vim.trim(value)
    if value then
      value = value:match('^"(.*)"$') or value
      local project = projects.at((value:gsub("\\(.)", "%1")))
      -- SECURITY: a file that was copied here from elsewhere must not choose what the agent reaches.
      if project.dir == projects.state_of(path) then
        return project
      end
    end
  end
  return projects.at(projects.root(vim.fn.getcwd()))
end

--- Gives the buffer a chat's options. Only ever by number: `undolevels` of another buffer is the
--- user's own.
---@param buf integer
local function set_options(buf)
  local bo = vim.bo[buf]
  bo.swapfile = false
  bo.modeline = false
  bo.undofile = false
  bo.undolevels = -1
  bo.buftype = "acwrite"
  bo.bufhidden = "hide"
  bo.buflisted = true
  bo.textwidth = 0
end

--- Takes the text of the buffer as a conversation: prompt, folds, highlighting.
---@param chat codex-chat.Chat
local function take_text(chat)
  local blocks = require("codex-chat.blocks")
  local buf = chat.buf
  blocks.reset(chat)
  local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
  local scan = require("codex-chat.markdown").scan(lines)
  local prompt = scan.prompt
  if not prompt then
    -- Below everything, so that nothing of what stands there is taken for a query.
    local fresh = lines[#lines] == "" and { "## You", "" } or { "", "## You", "" }
    if #lines == 1 and lines[1] == "" then
      api.nvim_buf_set_lines(buf, 0, -1, false, { "## You", "" })
      prompt = 0
    else
      api.nvim_buf_set_lines(buf, #lines, #lines, false, fresh)
      prompt = #lines + #fresh - 2
    end
  end
  require("codex-chat.fold").attach(buf)
  require("codex-chat.fold").load(buf, scan.folds)
  require("codex-chat.highlight").attach(buf)
  require("codex-chat.undo").attach(buf)
  require("codex-chat.undo").clear(buf)
  blocks.set_prompt(chat, prompt)
  vim.bo[buf].modified = false
  -- Events like TextChanged wait for the user to pause: too late for who types and leaves.
  chat.changed = false
  api.nvim_buf_attach(buf, false, {
    on_lines = function()
      chat.changed = true
      return registry.get(buf) ~= chat
    end,
  })
end

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
    -- The file is kept up to date by itself: leaving must never ask.
    vim.bo[buf].modified = false
  end)
  on("BufWinEnter", function()
    -- Only this one: a window that was split off has folds already.
    local win = api.nvim_get_current_win()
    if api.nvim_win_get_buf(win) == buf then
      require("codex-chat.window").shown(chat, win)
    end
  end)
  on("BufWinLeave", function()
    local win = api.nvim_get_current_win()
    if api.nvim_win_get_buf(win) == buf then
      require("codex-chat.window").remember(chat, win)
    end
  end)
  api.nvim_create_autocmd({ "WinResized", "VimResized" }, {
    group = chat.augroup,
    callback = function()
      require("codex-chat.status").show(chat)
      require("codex-chat.approval").resize(chat)
    end,
  })
  on("BufEnter", function()
    chat.used = vim.uv.hrtime()
  end)
  on({ "TextChanged", "TextChangedI", "TextChangedP" }, function()
    require("codex-chat.status").hint(chat)
  end)
  on("InsertEnter", function()
    require("codex-chat.edge").begin(chat)
    require("codex-chat.status").hint(chat, true)
    require("codex-chat.host").wake(chat)
  end)
  on("InsertLeave", function()
    require("codex-chat.status").hint(chat, false)
  end)
  require("codex-chat.heading").attach(chat)
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

--- What stands beside the text and goes with it. `:edit` finds it again, so that a turn goes on.
---@class (exact) codex-chat.Kept
---@field blocks table
---@field undo codex-chat.UndoState?
---@field views table<integer, table> by window

--- The text goes: what only the buffer holds is kept for when it is read again.
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
    blocks = require("codex-chat.blocks").keep(chat),
    undo = require("codex-chat.undo").keep(chat.buf),
    views = views,
  }
  -- `:edit` reads it again at once; where nothing does, the conversation is over here.
  vim.schedule(function()
    if chat.unloaded_lines and registry.get(chat.buf) == chat then
      M.leave(chat)
    end
  end)
end

--- The conversation has no text in this Neovim any more.
---@param chat codex-chat.Chat
function M.leave(chat)
  chat.kept = nil
  require("codex-chat.host").close(chat)
  chat.approvals, chat.delayed = {}, {}
  require("codex-chat.approval").refresh(chat)
end

---@param chat codex-chat.Chat
---@return table data for events
local function about(chat)
  return { buf = chat.buf, path = chat.path, root = chat.root }
end

--- The buffer is no chat any more.
---@param chat codex-chat.Chat
function M.close(chat)
  M.leave(chat)
  require("codex-chat.events").emit("Closed", about(chat))
  registry.remove(chat.buf)
  require("codex-chat.statusline").forget()
  require("codex-chat.highlight").detach(chat.buf)
  pcall(api.nvim_del_augroup_by_id, chat.augroup)
end

--- Makes the buffer, which holds the conversation's text, a chat.
---@param buf integer
---@param project codex-chat.Project
---@return codex-chat.Chat
function M.attach(buf, project)
  set_options(buf)
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
  registry.add(chat)
  require("codex-chat.outside").add(project.root)
  require("codex-chat.project").remember(project)
  require("codex-chat.highlight").setup()
  take_text(chat)
  require("codex-chat.window").settle(chat, function()
    require("codex-chat.runtime").set_filetype(buf, "codexchat")
  end)
  watch(chat)
  require("codex-chat.pause").begin()
  require("codex-chat.context.complete").attach(chat)
  require("codex-chat.host").keep_on_leave()
  require("codex-chat.keys").map(chat)
  require("codex-chat.status").hint(chat)
  for _, win in ipairs(registry.wins(buf)) do
    require("codex-chat.window").shown(chat, win)
  end
  require("codex-chat.bar").watch()
  require("codex-chat.size").watch()
  require("codex-chat.stay").watch()
  vim.schedule(require("codex-chat.runtime").warn)
  require("codex-chat.notify").begin()
  require("codex-chat.tools").begin()
  require("codex-chat.statusline").forget()
  require("codex-chat.events").emit("Opened", about(chat))
  return chat
end

---@type table<integer, codex-chat.Project> what a buffer that is about to be read belongs to
local expected = {}

--- Has the buffer read as a chat of `project`: without `BufReadPost`, file type detection and
--- modelines, wherever its file lies.
---@param buf integer
---@param project codex-chat.Project
function M.expect(buf, project)
  expected[buf] = project
  api.nvim_create_autocmd("BufReadCmd", {
    group = api.nvim_create_augroup("codex-chat.read." .. buf, {}),
    buffer = buf,
    callback = function()
      M.read(buf)
    end,
  })
end

--- The text was read anew as it stood: everything goes on where it was.
---@param chat codex-chat.Chat
---@param kept codex-chat.Kept
local function go_on(chat, kept)
  require("codex-chat.blocks").restore(chat, kept.blocks)
  require("codex-chat.undo").restore(chat.buf, kept.undo)
  require("codex-chat.approval").refresh(chat)
  if chat.host == "asked" or chat.host == "attached" then
    require("codex-chat.host").notify(chat, "chat/reread", {})
  end
  -- `:edit` puts the cursor somewhere after this.
  vim.schedule(function()
    for win, view in pairs(kept.views) do
      if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == chat.buf then
        api.nvim_win_call(win, function()
          vim.fn.winrestview(view)
        end)
      end
    end
  end)
end

--- Names the buffer as a new conversation: what cannot be read must not be written over.
---@param buf integer
---@param project codex-chat.Project
local function take_new_name(buf, project)
  local old = api.nvim_buf_get_name(buf)
  api.nvim_buf_set_name(buf, require("codex-chat.project").new_path(project))
  -- Renaming leaves an empty buffer of the old name behind.
  local left = registry.find_name(old)
  if left and left ~= buf and not api.nvim_buf_is_loaded(left) then
    pcall(api.nvim_buf_delete, left, { force = true })
  end
end

--- `BufReadCmd`: reads the conversation, also again for `:edit`.
---@param buf integer
function M.read(buf)
  local chat = registry.get(buf)
  if chat and not chat.unloaded_lines then
    return
  end
  set_options(buf)
  local path = api.nvim_buf_get_name(buf)
  local lines, refused = chat and chat.unloaded_lines or nil, nil
  if not lines then
    lines, refused = document.read(path)
    local _, _, code = require("codex-chat.disk.look").lstat(path)
    refused = not lines and code ~= "ENOENT" and refused or nil
  end
  local project = chat and require("codex-chat.project").at(chat.root)
    or expected[buf]
    or project_of(path, lines or {})
  expected[buf] = nil
  if refused then
    take_new_name(buf, project)
    say.error(("the conversation cannot be read, so this is a new one: %s."):format(refused))
  end
  lines = lines or document.new_lines(project.root, document.now())
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  if not chat then
    M.attach(buf, project)
    return
  end
  -- `:edit` and `:bdelete` forget marks, mappings and who listens.
  local kept = chat.kept
  chat.unloaded_lines, chat.kept = nil, nil
  take_text(chat)
  require("codex-chat.window").settle(chat, function()
    require("codex-chat.runtime").set_filetype(buf, "codexchat")
  end)
  require("codex-chat.keys").map(chat)
  if kept then
    go_on(chat, kept)
  else
    require("codex-chat.host").open(chat)
  end
  require("codex-chat.status").hint(chat)
end

return M
