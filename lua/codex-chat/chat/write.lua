--- Writes a conversation's file while no host does, and keeps its name.
local M = {}

local document = require("codex-chat.buffer.document")
local format = require("codex-chat.format")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local truth = require("codex-chat.disk.truth")

local api = vim.api

--- Where `:write {file}` writes. The user may name a file through their own links; within the project
--- of a conversation a link may be the agent's.
---@param target string absolute
---@return string
local function resolved(target)
  local function is_in_project(path)
    return vim.iter(registry.all()):any(function(chat)
      return vim.startswith(path, chat.root .. "/")
    end)
  end
  local dir = vim.uv.fs_realpath(vim.fs.dirname(target))
  local place = dir and ("%s/%s"):format(dir, vim.fs.basename(target)) or target
  if is_in_project(target) then
    return target
  end
  return not is_in_project(place) and vim.uv.fs_realpath(place) or place
end

--- Keeps a copy of the file's text if writing this one would lose it: if another program wrote it, or
--- if most of it was deleted.
---@param chat codex-chat.Chat
---@param text string
---@return string? err why the file must stay as it is
local function make_way(chat, text)
  local found, before = truth.look(chat)
  if found == "failed" then
    return before
  elseif found == "absent" or before == text or not before:find("%S") then
    return nil
  end
  ---@cast before -nil
  local why = found == "other"
      and "%s was changed by another program, and here as well. This text stays; the other one is kept: %s"
    or truth.loses_much(before, text) and "most of %s was deleted. The earlier text is kept: %s"
  if why then
    local copy, err = truth.keep(chat.path, before)
    if not copy then
      return err
    end
    local tell = found == "other" and say.warn or say.info
    tell(why:format(vim.fs.basename(chat.path), truth.compare(copy)))
  end
end

--- Writes the chat from Lua, while no host does.
---@param chat codex-chat.Chat
---@return boolean
function M.save(chat)
  if not api.nvim_buf_is_loaded(chat.buf) then
    return false
  end
  if not chat.changed then
    return true
  end
  if require("codex-chat.project").is_locked(chat.path, require("codex-chat.host").pid()) then
    say.warn(
      ("%s was not written: it is open in another Neovim, which writes it."):format(chat.path)
    )
    return false
  end
  local lines = format.with_kept(api.nvim_buf_get_lines(chat.buf, 0, -1, false), chat.head)
  local text = table.concat(lines, "\n") .. "\n"
  if text == chat.known_text and truth.look(chat) == "other" then
    -- Nothing is unsaved: `check` will read the other text.
    chat.changed = false
    return true
  end
  local ok, err = nil, make_way(chat, text)
  if not err then
    ok, err = document.write(chat.path, lines)
  end
  if not ok then
    say.error(("%s was not written: %s"):format(chat.path, err))
    return false
  end
  truth.know(chat, text, true)
  chat.changed = false
  return true
end

--- `:write`: the host writes the chat's own file, or Lua if there is no host; Lua writes other files.
---@param chat codex-chat.Chat
---@param args table of the autocommand
function M.write(chat, args)
  local first, last = vim.fn.line("'["), vim.fn.line("']")
  -- Not the buffer's name: `:saveas` has already changed it.
  local own = chat.path
  local target = vim.fs.normalize(vim.fn.fnamemodify(args.file, ":p"), { expand_env = false })
  if args.match == own or target == vim.fs.normalize(own, { expand_env = false }) then
    if chat.host == "attached" then
      require("codex-chat.host").notify(chat, "chat/save", {})
    elseif not M.save(chat) then
      return
    end
    vim.bo[chat.buf].modified = false
    return
  end
  target = resolved(target)
  local ok, err = document.write(target, api.nvim_buf_get_lines(chat.buf, first - 1, last, false))
  if ok then
    say.echo(('"%s" written'):format(vim.fn.fnamemodify(target, ":~:.")))
  else
    say.error(("%s was not written: %s"):format(target, err))
  end
end

--- Undoes the renaming by `:saveas` and `:file`: the host, other Neovims and the list of conversations
--- know a conversation by its file. The copy is written all the same.
---@param chat codex-chat.Chat
function M.keep_name(chat)
  local name = api.nvim_buf_get_name(chat.buf)
  if name == chat.path then
    return
  end
  vim.schedule(function()
    if registry.get(chat.buf) ~= chat or api.nvim_buf_get_name(chat.buf) == chat.path then
      return
    end
    -- Another buffer has got the old name.
    local namesake = registry.find_name(chat.path)
    if namesake then
      pcall(api.nvim_buf_delete, namesake, { force = true })
    end
    if pcall(api.nvim_buf_set_name, chat.buf, chat.path) then
      chat.path = api.nvim_buf_get_name(chat.buf)
      local left = registry.find_name(name)
      if left and not api.nvim_buf_is_loaded(left) then
        pcall(api.nvim_buf_delete, left, { force = true })
      end
      say.info(("the conversation stays %s."):format(vim.fs.basename(chat.path)))
    end
  end)
end

require("codex-chat.events").hook("HostEnded", function()
  for _, chat in ipairs(registry.all()) do
    if chat.host == "lost" then
      M.save(chat)
    end
  end
end)

return M
