--- Windows of conversations in session files.
---
--- `:mksession` takes a chat's buffer for one without a file and writes `enew` and `file <name>` for
--- each window. The second of them is E95 where the plugin is not loaded yet, so such lines are mended
--- when the session has been written. Where it is loaded, the name is taken away again at once, and the
--- chat is put into the windows when the session is complete.
local M = {}

local registry = require("codex-chat.registry")

local api = vim.api

--- The largest session file that is mended.
local max_bytes = 4 * 1024 * 1024

--- The names by which a session file may call the conversations that are open.
---@return table<string, true>
local function names()
  local found = {}
  for _, chat in ipairs(registry.all()) do
    for _, as in ipairs({ ":~", ":.", ":p" }) do
      found[vim.fn.fnameescape(vim.fn.fnamemodify(chat.path, as))] = true
    end
  end
  return found
end

--- Has a session that was just written name each conversation once, and say nothing about it. Neovim
--- must not read their files itself: a modeline may be in the model's words.
local function fix()
  local path = vim.v.this_session
  local text = require("codex-chat.disk.look").read(path, max_bytes)
  if not text then
    return
  end
  local known = names()
  local mended, count = text:gsub("\nenew\nfile ([^\n]+)", function(name)
    if known[name] then
      return ("\nif bufloaded(fnamemodify('%s', ':p')) | buffer %s | else | enew | silent file %s | endif"):format(
        name:gsub("'", "''"),
        name,
        name
      )
    end
  end)
  if count > 0 and mended ~= text then
    -- Where it lies behind a link it stays as it is.
    require("codex-chat.disk.change").write(path, mended)
  end
end

--- Begins to fix sessions, now that there is a conversation.
function M.begin()
  local group = require("codex-chat.events").first_group("session.written")
  if group then
    api.nvim_create_autocmd("SessionWritePost", { group = group, callback = fix })
  end
end

--- What tells a conversation from another file.
local new_head = { "---", "codex-chat: 1", "---" }

---@type { win: integer, buf: integer, path: string }[]
local waiting = {}

--- A buffer has got a conversation's name.
---@param buf integer
function M.named(buf)
  local path = api.nvim_buf_get_name(buf)
  waiting[#waiting + 1] = { win = api.nvim_get_current_win(), buf = buf, path = path }
  api.nvim_buf_set_name(buf, ("%s#%d"):format(path, #waiting))
  if #waiting > 1 then
    return
  end
  -- A session that fails half-way raises no event of its own.
  api.nvim_create_autocmd({ "SessionLoadPost", "SafeState" }, {
    group = api.nvim_create_augroup("codex-chat.chat.mksession", {}),
    once = true,
    callback = vim.schedule_wrap(M.finish),
  })
end

--- Shows the conversations in the windows that wait for them, at their prompts.
function M.finish()
  local list = waiting
  waiting = {}
  for _, entry in ipairs(list) do
    local lines = require("codex-chat.buffer.document").read(entry.path)
    -- Where the file is gone, it was a conversation all the same, and a new one begins there.
    local project = require("codex-chat.chat.restored").project_of(entry.path, lines or new_head)
    if not project then
      -- A file of the user's own in the directory of conversations.
      pcall(api.nvim_buf_set_name, entry.buf, entry.path)
    else
      if api.nvim_win_is_valid(entry.win) then
        local chat = require("codex-chat.chat").load(entry.path, project)
        api.nvim_win_set_buf(entry.win, chat.buf)
        require("codex-chat.chat.restored").show_prompt(chat, entry.win)
      end
      pcall(api.nvim_buf_delete, entry.buf, { force = true })
    end
  end
end

return M
