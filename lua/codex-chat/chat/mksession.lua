--- Windows of conversations in the session files that Neovim writes.
---
--- `:mksession` takes a chat's buffer for one without a file and writes `enew` and `file <name>` for
--- each window. The second of them is E95 where the plugin is not loaded yet, so such lines are
--- rewritten when the session has been written. Where it is loaded, see `chat/session.lua`.
local M = {}

local registry = require("codex-chat.registry")

local api = vim.api

--- The largest session file that is rewritten.
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

--- Rewrites the session that was just written so that it names each conversation once, silently. Neovim
--- must not read the files itself: a modeline may be the model's text.
local function name_each_once()
  local path = vim.v.this_session
  local text = require("codex-chat.disk.look").read(path, max_bytes)
  if not text then
    return
  end
  local known = names()
  local rewritten, count = text:gsub("\nenew\nfile ([^\n]+)", function(name)
    if known[name] then
      return ("\nif bufloaded(fnamemodify('%s', ':p')) | buffer %s | else | enew | silent file %s | endif"):format(
        name:gsub("'", "''"),
        name,
        name
      )
    end
  end)
  if count > 0 and rewritten ~= text then
    -- A session behind a link is left alone.
    require("codex-chat.disk.change").write(path, rewritten)
  end
end

--- Rewrites the sessions that are written from now on. Idempotent.
function M.begin()
  local group = require("codex-chat.events").first_group("session.written")
  if group then
    api.nvim_create_autocmd("SessionWritePost", { group = group, callback = name_each_once })
  end
end

return M
