--- Reads a conversation into its buffer, when it is opened and again for `:edit`.
local M = {}

local document = require("codex-chat.buffer.document")
local format = require("codex-chat.format")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local text_of = require("codex-chat.chat.text")
local truth = require("codex-chat.disk.truth")

local api = vim.api

--- The project that the front matter names, if the file is in that project's directory.
---@param path string
---@param lines string[]
---@return codex-chat.Project
function M.project_of(path, lines)
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
  return projects.at(projects.root(projects.cwd()))
end

---@type table<integer, codex-chat.Project> the projects of buffers that are about to be read
local expected = {}

--- Prepares the buffer to be read as a chat of `project`: without `BufReadPost`, file type detection
--- and modelines, wherever its file is.
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

--- The text was read again unchanged: restores everything that was kept.
---@param chat codex-chat.Chat
---@param kept codex-chat.Kept
local function resume(chat, kept)
  require("codex-chat.buffer.blocks").restore(chat, kept.blocks)
  require("codex-chat.buffer.undo").restore(chat.buf, kept.undo)
  require("codex-chat.approval").refresh(chat)
  if chat.host == "asked" or chat.host == "attached" then
    require("codex-chat.host").notify(chat, "chat/reread", {})
  end
  -- `:edit` moves the cursor after this.
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

--- Gives the buffer the name of a new conversation: a file that cannot be read must not be overwritten.
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

--- The text that `:edit` reads if another program has changed the file, unless a turn is running. The
--- buffer's unsaved text is kept as a copy.
---@param chat codex-chat.Chat
---@param lines string[] as the buffer had them
---@return string? text
local function text_of_others(chat, lines)
  if require("codex-chat.status").is_busy(chat.state.phase) then
    return nil
  end
  local found, text = truth.look(chat)
  if found ~= "other" or not text or not text:find("%S") then
    return nil
  end
  local here = table.concat(lines, "\n") .. "\n"
  if not truth.is_own(chat, vim.fn.sha256(here)) then
    local copy, err = truth.keep(chat.path, here)
    local name = vim.fs.basename(chat.path)
    if not copy then
      say.error(
        ("%s was not read again, because the text here could not be kept: %s"):format(name, err)
      )
      return nil
    end
    local message =
      "%s was changed by another program and was read again. The text that was here is kept: %s"
    say.warn(message:format(name, truth.compare(copy)))
  end
  truth.know(chat, text --[[@as string]])
  return text
end

--- Reads a copy of a conversation, without modelines, as an ordinary text.
---@param buf integer
---@param path string
local function read_copy(buf, path)
  local lines, err = document.read(path)
  vim.bo[buf].modeline, vim.bo[buf].swapfile = false, false
  api.nvim_buf_set_lines(buf, 0, -1, false, lines or {})
  vim.bo[buf].modified = false
  require("codex-chat.outside.runtime").set_filetype(buf, "codexchatpage")
  if err then
    say.error(("the copy cannot be read: %s."):format(err))
  end
end

--- `BufReadCmd`: reads the conversation, and reads it again for `:edit`.
---@param buf integer
function M.read(buf)
  local chat = registry.get(buf)
  local path = api.nvim_buf_get_name(buf)
  if chat and not chat.unloaded_lines then
    return
  elseif not chat and path:match("([^/]*)/[^/]*$") == "copies" then
    return read_copy(buf, path)
  end
  text_of.set_options(buf)
  local lines = chat and chat.unloaded_lines or nil
  local refused, text ---@type string?, string?
  if chat and lines then
    text = text_of_others(chat, lines)
    lines = text and document.lines_of(text) or lines
    chat.kept = not text and chat.kept or nil
  else
    lines, refused, text = document.read(path)
    local _, _, code = require("codex-chat.disk.look").lstat(path)
    refused = not lines and code ~= "ENOENT" and refused or nil
  end
  local project = chat and require("codex-chat.project").at(chat.root)
    or expected[buf]
    or M.project_of(path, lines or {})
  expected[buf] = nil
  if refused then
    take_new_name(buf, project)
    say.error(("the conversation cannot be read, so this is a new one: %s."):format(refused))
  end
  lines = lines or format.new_lines(project.root, format.now())
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  if not chat then
    require("codex-chat.chat.attach").attach(buf, project, text)
    return
  end
  -- `:edit` and `:bdelete` drop marks, mappings and callbacks.
  local kept = chat.kept
  chat.unloaded_lines, chat.kept = nil, nil
  text_of.load(chat)
  require("codex-chat.ui.window").settle(chat, function()
    require("codex-chat.outside.runtime").set_filetype(buf, "codexchat")
  end)
  require("codex-chat.chat.keys").map(chat)
  if kept then
    resume(chat, kept)
  else
    require("codex-chat.host").open(chat)
  end
  require("codex-chat.ui.hint").show(chat)
end

return M
