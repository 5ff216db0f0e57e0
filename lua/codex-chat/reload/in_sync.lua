--- Gets Neovim to take a buffer as being in sync with its file, when the buffer has the file's lines
--- already (decision 0026).
---
--- Neovim remembers the times of the file that it has read, and asks before it overwrites another one.
--- Only reading sets them, and a reload that succeeds tells every listener to start over. So the file is
--- read as in any reload; if the lines are those that the buffer had, the reload is broken off after
--- that, and nobody hears of it. Whatever else is found, the reload goes its usual way: text and times
--- are then right too, and only marks and language servers have lost something.
local M = {}

local hunks = require("codex-chat.reload.hunks")
local stamp_of = require("codex-chat.reload.content").stamp

local api = vim.api
local group_name = "codex-chat.reload.in_sync"

---@class (exact) codex-chat.Syncing
---@field buf integer
---@field lines string[] one empty line for an empty file
---@field buffers table<integer, true> those that there were before
---@field undofile boolean
---@field is_read? boolean
---@field is_same? boolean

---@type codex-chat.Syncing?
local current

---@return table<integer, true>
local function buffers()
  local set = {}
  for _, buf in ipairs(api.nvim_list_bufs()) do
    set[buf] = true
  end
  return set
end

--- Whether the reload is to be broken off. Neovim keeps the old text in a buffer of its own meanwhile and
--- would put it back: with that buffer gone, the text that was just read stays, which is the same.
---@param it codex-chat.Syncing
---@return boolean
local function may_break(it)
  it.is_read = true
  local mine = api.nvim_buf_get_lines(it.buf, 0, -1, false)
  if not hunks.same(mine, it.lines) then
    return false
  end
  local kept
  for buf in pairs(buffers()) do
    if not it.buffers[buf] then
      if kept or api.nvim_buf_get_name(buf) ~= "" then
        return false
      end
      kept = buf
    end
  end
  -- An empty text is not kept.
  local is_gone = kept and pcall(api.nvim_buf_delete, kept, { force = true })
  return is_gone == true or (not kept and #it.lines == 1 and it.lines[1] == "")
end

--- Whether to break off; the autocommand asks this.
---@return boolean
function M.is_same()
  local it = current
  if not it then
    return false
  end
  local ok, same = pcall(may_break, it)
  it.is_same = ok and same
  -- From here on, Neovim writes the undo file as after any reload.
  vim.bo[it.buf].undofile = it.undofile
  return it.is_same
end

---@param buf integer
local function check_time(buf)
  local autoread = vim.bo[buf].autoread
  local group = api.nvim_create_augroup(group_name, {})
  -- Within another autocommand, or with 'eventignore', nothing could break the reload off.
  local is_heard = false
  api.nvim_create_autocmd("OptionSet", {
    group = group,
    pattern = "autoread",
    callback = function()
      is_heard = true
    end,
  })
  vim.bo[buf].autoread = true
  if not is_heard then
    api.nvim_del_augroup_by_id(group)
    vim.bo[buf].autoread = autoread
    return
  end
  local undoreload = vim.o.undoreload
  -- No undo step for the whole text, and no undo history from the undo file.
  vim.o.undoreload, vim.bo[buf].undofile = 0, false
  api.nvim_create_autocmd("BufReadPost", {
    group = group,
    buffer = buf,
    nested = true,
    command = "if v:lua.require'codex-chat.reload.in_sync'.is_same() | throw 'codex-chat: in sync' | endif",
  })
  pcall(
    vim.cmd,
    ("try | silent! lockmarks checktime %d | catch /^codex-chat: in sync/ | endtry"):format(buf)
  )
  api.nvim_del_augroup_by_id(group)
  vim.o.undoreload = undoreload
  if api.nvim_buf_is_valid(buf) then
    vim.bo[buf].undofile = current ~= nil and current.undofile
    -- nil where the global value counts
    vim.bo[buf].autoread = autoread
  end
end

--- Whether a BufWriteCmd of somebody's would write this buffer.
---@param buf integer
---@return boolean
local function has_writer(buf)
  local name = api.nvim_buf_get_name(buf)
  local tail = vim.fs.basename(name)
  return vim.iter(api.nvim_get_autocmds({ event = "BufWriteCmd" })):any(function(it)
    if it.buflocal then
      return it.buffer == buf
    end
    local ok, pattern = pcall(vim.fn.glob2regpat, it.pattern)
    return not ok or vim.fn.match(name, pattern) >= 0 or vim.fn.match(tail, pattern) >= 0
  end)
end

--- Marks all earlier states in the undo history as not being in the file, as writing does: `:write` with
--- a BufWriteCmd that writes nothing. The buffer is not modified after that.
---@param buf integer
function M.mark_undo(buf)
  if not vim.o.write or has_writer(buf) then
    return
  end
  local id = api.nvim_create_autocmd("BufWriteCmd", {
    buffer = buf,
    callback = function()
      vim.bo[buf].modified = false
    end,
  })
  vim.bo[buf].modified = true
  api.nvim_buf_call(buf, function()
    pcall(vim.cmd, "silent! lockmarks keepalt write!")
  end)
  pcall(api.nvim_del_autocmd, id)
end

---@class (exact) codex-chat.Synced
---@field is_read boolean whether Neovim has read the file; not if it knew the file's time already
---@field is_quiet boolean whether nobody heard of it
---@field stamp? string the file's after that

--- Takes the buffer as being in sync with its file.
---@param buf integer
---@param content codex-chat.Content what the file holds; the buffer has its lines
---@return codex-chat.Synced
function M.take(buf, content)
  local bo = vim.bo[buf]
  for _, name in ipairs({ "fileencoding", "bomb", "fileformat", "endofline" }) do
    if bo[name] ~= content[name] then
      bo[name] = content[name]
    end
  end
  bo.modified = false
  require("codex-chat.reload.write_once").disarm(buf)
  local views = {}
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    views[win] = api.nvim_win_call(win, vim.fn.winsaveview)
  end
  current = {
    buf = buf,
    lines = #content.lines > 0 and content.lines or { "" },
    buffers = buffers(),
    undofile = bo.undofile,
  }
  local it = current
  local hush = require("codex-chat.reload.hush")
  -- A file that has changed since would be reloaded as a whole, without its undo history.
  if stamp_of(api.nvim_buf_get_name(buf)) == content.stamp then
    hush.begin(buf)
    check_time(buf)
    hush.finish()
  end
  current = nil
  if not api.nvim_buf_is_loaded(buf) then
    return { is_read = it.is_read == true, is_quiet = it.is_same == true }
  end
  local stamp = stamp_of(api.nvim_buf_get_name(buf))
  for win, view in pairs(views) do
    if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == buf then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
    end
  end
  bo.modified = false
  return { is_read = it.is_read == true, is_quiet = it.is_same == true, stamp = stamp }
end

return M
