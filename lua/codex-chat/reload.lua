--- Loads files anew that the agent has changed, where nothing of the user's is lost by it.
local M = {}

local api = vim.api

---@param name string
---@param path string a file, or a directory with all below it
---@return boolean
local function is_at(name, path)
  return name == path or vim.startswith(name, path:gsub("/$", "") .. "/")
end

---@param buf integer
local function reload(buf)
  local views = {}
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    views[win] = api.nvim_win_call(win, vim.fn.winsaveview)
  end
  local bo = vim.bo[buf]
  local modeline = bo.modeline
  local autoread = api.nvim_get_option_value("autoread", { scope = "global" })
  -- SECURITY: the file is in the agent's words now, and a modeline would be read from it.
  bo.modeline = false
  bo.autoread = true
  pcall(vim.cmd, ("silent! checktime %d"):format(buf))
  if api.nvim_buf_is_valid(buf) then
    bo.modeline = modeline
    if not autoread then
      vim.cmd(("call setbufvar(%d, '&autoread', &g:autoread)"):format(buf))
    end
  end
  for win, view in pairs(views) do
    if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == buf then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
    end
  end
end

--- Reloads loaded, unmodified buffers of files that changed on disk.
---@param what string[]|{ root: string } paths, or the directory below which anything may have changed
function M.reload(what)
  local paths = what.root and { what.root } or what
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buf) and vim.bo[buf].buftype == "" and not vim.bo[buf].modified then
      local name = api.nvim_buf_get_name(buf)
      local real = name ~= "" and vim.uv.fs_realpath(name)
      -- A file that is gone stays in its buffer; the user may want to have it back.
      if real then
        for _, path in ipairs(paths) do
          if is_at(name, path) or is_at(real, path) then
            reload(buf)
            break
          end
        end
      end
    end
  end
end

return M
