--- Reloads files that the agent has changed, if the user loses nothing by it, and only as text.
local M = {}

local api = vim.api

--- Buffers that are loaded: reading one of them again is a reload.
---@type table<integer, true>
local loaded = {}
--- Ends the protection of the reload that is under way.
---@type fun()?
local restore

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

--- Keeps text that is read into the buffer from doing anything.
---
--- SECURITY: the agent wrote the file, and perhaps an `.editorconfig` and, if the project is on
--- 'runtimepath', ftplugins. Reading a file again obeys its modeline, the `.editorconfig` and, since the
--- filetype is detected again, the ftplugins.
---@param buf integer
---@return fun() restore
local function hush(buf)
  local bo, b = vim.bo[buf], vim.b[buf]
  local modeline, filetype, editorconfig = bo.modeline, bo.filetype, b.editorconfig
  local ignored = vim.o.eventignore
  bo.modeline, b.editorconfig = false, false
  vim.opt.eventignore:append("FileType")
  return function()
    if api.nvim_buf_is_valid(buf) then
      if bo.filetype ~= filetype then
        bo.filetype = filetype
      end
      bo.modeline, b.editorconfig = modeline, editorconfig
    end
    vim.o.eventignore = ignored
  end
end

--- The largest file that is reloaded, the most times that a file may have grown, and a size that always
--- counts as small.
local max_bytes, max_growth, small_bytes = 20 * 1024 * 1024, 10, 1024 * 1024

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

---@param buf integer
local function reload(buf)
  local views = {}
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    views[win] = api.nvim_win_call(win, vim.fn.winsaveview)
  end
  local autoread = api.nvim_get_option_value("autoread", { scope = "global" })
  restore = hush(buf)
  vim.bo[buf].autoread = true
  pcall(vim.cmd, ("silent! checktime %d"):format(buf))
  M.finish()
  if api.nvim_buf_is_valid(buf) and not autoread then
    vim.cmd(("call setbufvar(%d, '&autoread', &g:autoread)"):format(buf))
  end
  for win, view in pairs(views) do
    if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == buf then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
    end
  end
end

--- Ends the protection: a reload is over, or there was none.
function M.finish()
  local finish = restore
  restore = nil
  if finish then
    finish()
  end
end

--- Reloads loaded, unmodified buffers of files that changed on disk.
---@param what string[]|codex-chat.ReloadRoot paths, or the directory below which anything may have changed
function M.reload(what)
  local paths = what.root and { what.root } or what --[[@as string[] ]]
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if
      api.nvim_buf_is_loaded(buf)
      and vim.bo[buf].buftype == ""
      and not vim.bo[buf].modified
      and is_in(api.nvim_buf_get_name(buf), paths)
      and may_load(buf)
    then
      reload(buf)
    end
  end
end

---@param event { buf: integer, file: string }
local function before_read(event)
  if restore or not loaded[event.buf] then
    return
  end
  local roots = vim.tbl_map(function(chat)
    return chat.root
  end, require("codex-chat.registry").all())
  if not is_in(api.nvim_buf_get_name(event.buf), roots) then
    return
  end
  restore = hush(event.buf)
  -- A reload that fails ends without an event.
  vim.schedule(M.finish)
end

--- Protects the reloads that Neovim makes by itself with 'autoread', as when it gets the focus, in
--- projects that have a conversation. A file that the user opens by `:edit` works as always.
function M.guard()
  local group = api.nvim_create_augroup("codex-chat.reload", {})
  for _, buf in ipairs(api.nvim_list_bufs()) do
    loaded[buf] = api.nvim_buf_is_loaded(buf) or nil
  end
  api.nvim_create_autocmd("BufReadPost", {
    group = group,
    callback = function(event)
      loaded[event.buf] = true
    end,
  })
  api.nvim_create_autocmd({ "BufUnload", "BufWipeout" }, {
    group = group,
    callback = function(event)
      loaded[event.buf] = nil
    end,
  })
  api.nvim_create_autocmd("BufReadPre", { group = group, callback = before_read })
  api.nvim_create_autocmd("FileChangedShellPost", { group = group, callback = M.finish })
  M.guard = function() end
end

return M
