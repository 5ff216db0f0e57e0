--- Opens, shows, hides, renames and moves conversations.
local M = {}

local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local window = require("codex-chat.ui.window")

local api = vim.api

--- The chat of this file; makes it if there is none.
---@param path string
---@param project codex-chat.Project
---@return codex-chat.Chat
function M.load(path, project)
  local buf = registry.find_name(path)
  local chat = buf and registry.get(buf)
  if chat and api.nvim_buf_is_loaded(chat.buf) then
    return chat
  end
  if buf and api.nvim_buf_is_loaded(buf) then
    -- It is open as a plain file, perhaps from a session: that buffer becomes the chat.
    local restored, refused = require("codex-chat.chat.restored").attach(buf, project)
    if restored then
      return restored
    end
    say.error(("the conversation cannot be read, so this is a new one: %s."):format(refused))
    return M.load(require("codex-chat.project").new_path(project), project)
  end
  buf = buf or vim.fn.bufadd(path)
  require("codex-chat.chat.read").expect(buf, project)
  vim.fn.bufload(buf)
  if not registry.get(buf) then
    -- Within another autocommand no event is raised.
    require("codex-chat.chat.read").read(buf)
  end
  return assert(registry.get(buf))
end

--- The project's latest conversation, as a chat that need not be shown yet.
---@param project codex-chat.Project
---@return codex-chat.Chat
function M.latest(project)
  local chat = registry.current(project.root, true)
  if chat then
    return M.load(chat.path, project)
  end
  local projects = require("codex-chat.project")
  local path = projects.list_chats(project)[1]
  if path and projects.is_locked(path, require("codex-chat.host").pid()) then
    say.info(
      ("the latest conversation is open in another Neovim (%s), so this is a new one."):format(
        vim.fs.basename(path)
      )
    )
    path = nil
  end
  return M.load(path or projects.new_path(project), project)
end

--- Shows the chat and goes there, with the cursor in an empty prompt.
---@param chat codex-chat.Chat
---@param opts? { insert?: boolean, prompt?: boolean } prompt: moves the cursor there from anywhere
function M.show(chat, opts)
  opts = opts or {}
  local seen = window.find(chat.buf) ~= nil
  local win = window.open(chat)
  chat.used = vim.uv.hrtime()
  local prompt = require("codex-chat.prompt")
  local restored = not seen and require("codex-chat.ui.last_view").restore(chat, win)
  local empty = prompt.is_empty(chat)
  if empty then
    require("codex-chat.buffer.heading").settle(chat)
  end
  local function is_in_prompt()
    return api.nvim_win_get_cursor(win)[1] > require("codex-chat.buffer.blocks").prompt_row(chat)
  end
  if not seen and (not restored or (empty and chat.last_win_view.in_prompt)) then
    prompt.enter(chat, win)
  elseif opts.prompt and not is_in_prompt() then
    prompt.enter(chat, win)
  end
  local startinsert = require("codex-chat.config").get().window.startinsert
  if opts.insert ~= nil then
    startinsert = opts.insert
  end
  if startinsert and empty and is_in_prompt() then
    vim.cmd("startinsert!")
  end
  -- The window is on the screen before a process is started.
  require("codex-chat.async").drawn(function()
    require("codex-chat.host").wake(chat)
  end)
end

--- `:CodexChat open`
---@param opts? { insert?: boolean }
---@return codex-chat.Chat
function M.open(opts)
  local chat = registry.get(0) or M.latest(require("codex-chat.project").of_buf())
  M.show(chat, vim.tbl_extend("error", { prompt = true }, opts or {}))
  return chat
end

--- `:CodexChat new`
---@return codex-chat.Chat
function M.new()
  local projects = require("codex-chat.project")
  local project = projects.of_buf()
  local shown = registry.get(0) or registry.current(project.root)
  local chat = M.load(projects.new_path(project), project)
  local win = shown and window.find(shown.buf)
  if win then
    -- A new conversation takes the window of the one in view.
    api.nvim_set_current_win(win)
    api.nvim_win_set_buf(win, chat.buf)
    require("codex-chat.prompt").enter(chat, win)
  end
  M.show(chat)
  return chat
end

--- `:CodexChat toggle`
function M.toggle()
  local project = require("codex-chat.project").of_buf()
  local chat = registry.get(0) or registry.current(project.root)
  if chat and window.find(chat.buf) then
    window.close(chat)
    return
  end
  M.show(chat or M.latest(project))
end

--- Renames the buffer after the host has renamed the file.
---@param chat codex-chat.Chat
---@param path string
function M.rename(chat, path)
  local old = api.nvim_buf_get_name(chat.buf)
  if old == path then
    return
  end
  local namesake = registry.find_name(path)
  if namesake and namesake ~= chat.buf then
    pcall(api.nvim_buf_delete, namesake, { force = true })
  end
  api.nvim_buf_set_name(chat.buf, path)
  -- As Neovim names it, without links.
  path = api.nvim_buf_get_name(chat.buf)
  chat.path = path
  require("codex-chat.events").emit("Renamed", {
    buf = chat.buf,
    path = path,
    previous = old,
  })
  -- Renaming leaves an empty buffer of the old name behind.
  local left = registry.find_name(old)
  if left and left ~= chat.buf and not api.nvim_buf_is_loaded(left) then
    pcall(api.nvim_buf_delete, left, { force = true })
  end
end

--- The queries directly above the prompt that were sent and not answered, as they were typed.
---@param chat codex-chat.Chat
---@return string[]
local function unanswered(chat)
  local blocks = require("codex-chat.buffer.blocks")
  local ranges = {}
  for id in pairs(chat.blocks) do
    if vim.startswith(id, "user:") then
      local first, stop = blocks.range(chat, id)
      if first and stop and first < stop then
        ranges[#ranges + 1] = { first, stop }
      end
    end
  end
  table.sort(ranges, function(a, b)
    return a[1] > b[1]
  end)
  local edge, found = blocks.prompt_row(chat), {}
  for _, range in ipairs(ranges) do
    local below = api.nvim_buf_get_lines(chat.buf, range[2], edge, false)
    if table.concat(below):find("%S") then
      break
    end
    -- Without the heading and the context line, which is made again.
    local text = table.concat(api.nvim_buf_get_lines(chat.buf, range[1] + 1, range[2], false), "\n")
    table.insert(found, 1, vim.trim(require("codex-chat.format").without_context(vim.trim(text))))
    edge = range[1]
  end
  return found
end

--- Moves the buffer to a new conversation because its own is in use elsewhere. The text in the prompt
--- stays, and unanswered queries go back there.
---@param chat codex-chat.Chat
---@param to codex-chat.Relocation
function M.relocate(chat, to)
  local project = require("codex-chat.project").at(chat.root)
  local format = require("codex-chat.format")
  local blocks = require("codex-chat.buffer.blocks")
  local path = to.path or require("codex-chat.project").new_path(project)
  local unsent = unanswered(chat)
  require("codex-chat.host").close(chat)
  M.rename(chat, path)
  require("codex-chat.buffer.fold").clear(chat.buf)
  blocks.machine(chat, function()
    local head = format.new_lines(chat.root, format.now())
    chat.head = format.head(head)
    require("codex-chat.disk.truth").forget(chat)
    -- The prompt's heading and text stay, with the cursor in them.
    blocks.splice(chat, 0, blocks.prompt_row(chat), vim.list_slice(head, 1, #head - 2))
  end)
  local front = format.front_matter_end(chat.head or {})
  if front > 0 then
    require("codex-chat.buffer.fold").add(chat.buf, 0, front - 1)
  end
  require("codex-chat.highlight").attach(chat.buf)
  if #unsent > 0 then
    local lines = vim.split(table.concat(unsent, "\n\n"), "\n", { plain = true })
    require("codex-chat.prompt").add(chat, lines)
  end
  require("codex-chat.approval").clear(chat)
  require("codex-chat.status").reset(chat)
  require("codex-chat.ui.winbar").show(chat)
  require("codex-chat.host").open(chat)
  local again = #unsent > 0 and " What you sent is in its prompt: send it again." or ""
  say.info((to.reason or "the conversation is in use elsewhere.") .. again)
end

return M
