--- Takes files that the agent has changed into their buffers, if the user loses nothing by it, and only
--- as text.
local M = {}

local base = require("codex-chat.reload.base")
local calm = require("codex-chat.reload.calm")
local conflict = require("codex-chat.reload.conflict")
local gone = require("codex-chat.reload.gone")
local hush = require("codex-chat.reload.hush")

local api = vim.api

--- Buffers that are loaded: reading one of them again is a reload.
---@type table<integer, true>
local loaded = {}
---@param name string
---@param path string a file, or a directory with all below it
---@return boolean
local function is_at(name, path)
  return name == path or vim.startswith(name, path:gsub("/$", "") .. "/")
end

---@param name string
---@param paths string[]
---@return boolean
local function is_in(name, paths)
  local real = name ~= "" and vim.uv.fs_realpath(name)
  -- The text of a deleted file stays in its buffer; the user may want it back.
  if not real then
    return false
  end
  return vim.iter(paths):any(function(path)
    return is_at(name, path) or is_at(real, path)
  end)
end

--- The largest file that is reloaded, the most times that a file may have grown, and a size that always
--- counts as small.
local max_bytes, max_growth, small_bytes = 20 * 1024 * 1024, 10, 1024 * 1024

--- When a file is looked at again that was about to be written.
local later_ms = 100

---@type table<string, true> files that are too large, of which the user knows
local warned = {}

--- Whether the file may replace the buffer's text. An agent can make a file of any size in a moment, and
--- Neovim reads all of it, deaf to keys.
---@param buf integer
---@return boolean
local function may_load(buf)
  local path = api.nvim_buf_get_name(buf)
  local stat = vim.uv.fs_stat(path)
  if not stat or stat.type ~= "file" then
    return false
  end
  local had = api.nvim_buf_get_offset(buf, api.nvim_buf_line_count(buf))
  if
    stat.size <= small_bytes
    or (stat.size <= max_bytes and stat.size <= max_growth * math.max(had, 1))
  then
    warned[path] = nil
    return true
  end
  if not warned[path] then
    warned[path] = true
    require("codex-chat.message").warn(
      ("%s has %d MB now and was not loaded again; `:edit` loads it."):format(
        vim.fn.fnamemodify(path, ":."),
        math.floor(stat.size / 1024 / 1024)
      )
    )
  end
  return false
end

--- Has Neovim read the file, with all that this costs: marks, and language servers that start over. Where
--- its text cannot be decoded here for certain (content.lua says when), nothing else is right.
---@param buf integer
local function read_whole(buf)
  local views = {}
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    views[win] = api.nvim_win_call(win, vim.fn.winsaveview)
  end
  local autoread = vim.bo[buf].autoread
  hush.begin(buf)
  vim.bo[buf].autoread = true
  pcall(vim.cmd, ("silent! checktime %d"):format(buf))
  hush.finish()
  if api.nvim_buf_is_valid(buf) then
    vim.bo[buf].autoread = autoread
  end
  for win, view in pairs(views) do
    if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == buf then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
    end
  end
end

---@param buf integer
local function reload_later(buf)
  vim.defer_fn(function()
    if api.nvim_buf_is_loaded(buf) then
      M.reload({ api.nvim_buf_get_name(buf) })
    end
  end, later_ms)
end

--- Takes the file's text into an unmodified buffer.
---@param buf integer
local function take(buf)
  local edit = require("codex-chat.reload.edit")
  local content, unclear = require("codex-chat.reload.content").read(buf, max_bytes)
  if not content then
    if unclear then
      read_whole(buf)
    end
    base.touched(buf)
    return
  end
  if #content.lines == 0 and not content.is_settled then
    -- Most programs empty a file before they write it. An empty buffer would have lost every mark.
    reload_later(buf)
    return
  end
  edit.break_undo(buf)
  local old = api.nvim_buf_get_lines(buf, 0, -1, false)
  local changed = edit.apply(buf, old, content.lines)
  edit.break_undo(buf)
  local in_sync = require("codex-chat.reload.in_sync")
  if in_sync.take(buf, content) then
    base.set(buf, content)
  elseif not in_sync.is_possible(buf) then
    read_whole(buf)
    base.touched(buf)
  else
    -- The agent has written again, or Neovim is within an autocommand.
    base.forget(buf)
    reload_later(buf)
  end
  if #changed > 0 then
    require("codex-chat.reload.flash").show(buf, changed)
    -- Plugins that show the file's state wait for this after a reload.
    pcall(api.nvim_exec_autocmds, "FileChangedShellPost", { buffer = buf, modeline = false })
  end
end

--- Looks at the file of a modified buffer, which stays as it is.
---@param buf integer
local function compare(buf)
  if base.is_unchanged(buf) then
    -- It may have become modified in the background, without an event.
    base.modified_changed(buf)
    return
  end
  local content = require("codex-chat.reload.content").read(buf, max_bytes)
  if not content then
    return
  end
  local same = require("codex-chat.reload.hunks").same
  local known = base.lines(buf)
  if known and same(known, content.lines) then
    conflict.drop(buf)
    base.set(buf, content)
  elseif same(api.nvim_buf_get_lines(buf, 0, -1, false), content.lines) then
    conflict.drop(buf)
    take(buf)
  elseif not content.is_settled then
    -- Half a file is no reason to ask.
    reload_later(buf)
  else
    conflict.raise(buf, content)
  end
end

---@param buf integer
local function check(buf)
  if
    not api.nvim_buf_is_loaded(buf)
    or vim.bo[buf].buftype ~= ""
    or not may_load(buf)
    or base.is_synced(buf, require("codex-chat.reload.content").stamp(api.nvim_buf_get_name(buf)))
  then
    return
  end
  if vim.bo[buf].modified then
    compare(buf)
    return
  end
  local ok, err = pcall(take, buf)
  if not ok then
    require("codex-chat.message").error(
      ("%s could not be reloaded: %s"):format(vim.fs.basename(api.nvim_buf_get_name(buf)), err)
    )
  end
end

---@type table<integer, true>
local watched = {}

--- Keeps Neovim from asking about the buffer as well (W12) when it looks at the file's time itself.
---@param buf integer
local function watch(buf)
  if watched[buf] then
    return
  end
  watched[buf] = true
  api.nvim_create_autocmd("FileChangedShell", {
    group = api.nvim_create_augroup("codex-chat.reload", { clear = false }),
    buffer = buf,
    callback = function()
      local reason = vim.v.fcs_reason
      if reason == "changed" and vim.v.fcs_choice == "" then
        api.nvim_set_vvar("fcs_choice", "reload")
      elseif reason == "conflict" or reason == "deleted" then
        vim.schedule(function()
          if api.nvim_buf_is_loaded(buf) then
            M.reload({ api.nvim_buf_get_name(buf) })
          end
        end)
      end
    end,
  })
end

--- Takes changed files into their buffers, now or when the user is not in the middle of a command there.
---@param what string[]|codex-chat.ReloadRoot paths, or the directory below which anything may have changed
function M.reload(what)
  local paths = what.root and { what.root } or what --[[@as string[] ]]
  for _, buf in ipairs(api.nvim_list_bufs()) do
    local name = api.nvim_buf_get_name(buf)
    local is_file = api.nvim_buf_is_loaded(buf) and vim.bo[buf].buftype == "" and name ~= ""
    if is_file and base.is_known(buf) and not vim.uv.fs_lstat(name) then
      if vim.iter(paths):any(function(path)
        return is_at(name, path)
      end) then
        watch(buf)
        gone.note(buf)
      end
    elseif is_file and is_in(name, paths) then
      gone.forget(buf)
      watch(buf)
      calm.run("check " .. buf, function()
        return calm.may_edit(buf)
      end, function()
        check(buf)
      end)
    end
  end
end

---@return string[]
local function roots()
  return vim.tbl_map(function(chat)
    return chat.root
  end, require("codex-chat.registry").all())
end

---@param event { buf: integer, file: string }
local function before_read(event)
  if hush.is_on() or not loaded[event.buf] then
    return
  end
  if not is_in(api.nvim_buf_get_name(event.buf), roots()) then
    return
  end
  hush.begin(event.buf)
  -- A reload that fails ends without an event.
  vim.schedule(hush.finish)
end

--- Learns which text a buffer that was loaded earlier comes from: the file's, if Neovim finds that it has
--- not changed since.
---@param buf integer
local function probe(buf)
  local is_other = false
  local id = api.nvim_create_autocmd("FileChangedShell", {
    buffer = buf,
    callback = function()
      is_other = true
    end,
  })
  pcall(vim.cmd, ("silent! checktime %d"):format(buf))
  pcall(api.nvim_del_autocmd, id)
  if not is_other and api.nvim_buf_is_loaded(buf) then
    base.touched(buf)
    base.modified_changed(buf)
  end
end

local function probe_all()
  local all = roots()
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if
      api.nvim_buf_is_loaded(buf)
      and vim.bo[buf].buftype == ""
      and not base.is_known(buf)
      and is_in(api.nvim_buf_get_name(buf), all)
    then
      probe(buf)
      watch(buf)
    end
  end
end

--- Protects the reloads that Neovim makes by itself with 'autoread', as when it gets the focus, in
--- projects that have a conversation. A file that the user opens by `:edit` works as always. Called for
--- each conversation.
function M.guard()
  local group = api.nvim_create_augroup("codex-chat.reload", {})
  for _, buf in ipairs(api.nvim_list_bufs()) do
    loaded[buf] = api.nvim_buf_is_loaded(buf) or nil
  end
  local function on(event, callback)
    api.nvim_create_autocmd(event, { group = group, callback = callback })
  end
  on({ "BufReadPost", "BufWritePost" }, function(event)
    loaded[event.buf] = true
    if not hush.is_on() then
      base.touched(event.buf)
      conflict.drop(event.buf)
      gone.forget(event.buf)
    end
  end)
  on({ "BufUnload", "BufWipeout" }, function(event)
    loaded[event.buf], watched[event.buf] = nil, nil
    base.forget(event.buf)
    conflict.drop(event.buf)
    gone.forget(event.buf)
  end)
  on("BufModifiedSet", function(event)
    if is_in(api.nvim_buf_get_name(event.buf), roots()) then
      watch(event.buf)
      base.modified_changed(event.buf)
    end
  end)
  on("BufReadPre", before_read)
  -- Before Neovim looks at the files' times itself, and reads them as a whole.
  api.nvim_create_autocmd("FocusGained", {
    group = group,
    nested = true,
    callback = function()
      for _, root in ipairs(roots()) do
        M.reload({ root = root })
      end
    end,
  })
  on("FileChangedShellPost", hush.finish)
  probe_all()
  M.guard = probe_all
end

return M
