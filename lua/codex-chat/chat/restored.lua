--- Makes chats of buffers that only have a conversation's name: a session restores them empty, and
--- Neovim reads them as plain files if the plugin is not loaded yet or `history_dir` is set.
local M = {}

local document = require("codex-chat.buffer.document")
local format = require("codex-chat.format")
local registry = require("codex-chat.registry")

local api = vim.api

---@return string
local function state_dir()
  return require("codex-chat.config").get().state_dir
end

--- The directory of conversations that a file is in, directly or in the archive.
---@param path string
---@return string
local function chats_dir(path)
  local dir = vim.fs.dirname(path)
  return vim.fs.basename(dir) == "archive" and vim.fs.dirname(dir) or dir
end

--- Whether the file is where the state directory has its conversations.
---@param path string
---@return boolean
local function is_in_state(path)
  local dir = chats_dir(path)
  return vim.fs.basename(dir) == "chats"
    and vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(dir))) == vim.fs.normalize(state_dir())
end

--- The project whose `history_dir` this directory is: the one around it, or the one the user works in.
---@param dir string
---@return codex-chat.Project?
local function project_with(dir)
  if not require("codex-chat.config").get().history_dir then
    return nil
  end
  local projects = require("codex-chat.project")
  for _, start in ipairs({ dir, vim.fn.getcwd() }) do
    local project = vim.uv.fs_stat(start) and projects.at(projects.root(start))
    if project and project.chats == dir then
      return project
    end
  end
end

--- Whether a buffer of this name may be a conversation; reads no file.
---@param path string
---@return boolean
function M.may_be(path)
  return path:find("^/.*%.md$") ~= nil
    and (is_in_state(path) or project_with(chats_dir(path)) ~= nil)
end

--- The project of a conversation's file. In a directory of the user's own, only the front matter makes
--- a file a conversation.
---@param path string
---@param lines? string[] the file's
---@return codex-chat.Project?
function M.project_of(path, lines)
  if is_in_state(path) then
    return require("codex-chat.chat.read").project_of(path, lines or {})
  end
  local head = format.head(vim.list_slice(lines or {}, 1, 200))
  if
    head
    and vim.iter(head):any(function(line)
      return line:find("^codex%-chat:") ~= nil
    end)
  then
    return project_with(chats_dir(path))
  end
end

--- Appends what was typed into the buffer to the conversation's text, as its prompt.
---@param lines string[]
---@param typed string[]
---@return string[]
local function with_draft(lines, typed)
  local whole = vim.list_extend({}, lines)
  while #whole > 0 and not whole[#whole]:find("%S") do
    whole[#whole] = nil
  end
  if not document.find_prompt(whole) then
    vim.list_extend(whole, { "", format.user_heading })
  end
  whole[#whole + 1] = ""
  return vim.list_extend(whole, typed)
end

--- Makes a loaded buffer with a conversation's name that conversation. An empty or unchanged buffer
--- gets the file's text; text that was typed into an empty buffer goes below it; a buffer in which the
--- conversation was edited keeps its text, and the host keeps a copy of the file's.
---
--- SECURITY: the file is read without following links. Neovim may have followed one, and that text
--- would be sent as the earlier conversation.
---@param buf integer
---@param project? codex-chat.Project the file's, if known
---@return codex-chat.Chat? chat nil if it is not a conversation
---@return string? refused why the file cannot be read
function M.attach(buf, project)
  local path = api.nvim_buf_get_name(buf)
  local lines, err, text = document.read(path)
  if not lines then
    local _, _, code = require("codex-chat.disk.look").lstat(path)
    if code ~= "ENOENT" then
      return nil, err
    end
  end
  project = project or M.project_of(path, lines)
  if not project then
    return nil
  end
  local old = api.nvim_buf_get_lines(buf, 0, -1, false)
  local is_blank = not table.concat(old):find("%S")
  if not lines and is_blank then
    lines = format.new_lines(project.root, format.now())
  end
  local is_edited = vim.bo[buf].modified and not is_blank
  local has_sections = document.find_prompt(old) ~= nil or format.head(old) ~= nil
  if is_edited and lines and not has_sections then
    lines = with_draft(lines, old)
  elseif is_edited then
    lines = nil
  end
  local modifiable = vim.bo[buf].modifiable
  vim.bo[buf].modifiable = true
  if lines and not vim.deep_equal(old, lines) then
    api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  end
  local chat = require("codex-chat.chat.attach").attach(
    buf,
    project,
    not (is_edited and has_sections) and text or nil
  )
  vim.bo[buf].modifiable = modifiable
  chat.changed = is_edited
  for _, win in ipairs(registry.wins(buf)) do
    require("codex-chat.prompt").show(chat, win)
  end
  return chat
end

return M
