--- Waits until the user is not in the middle of something.
local M = {}

local api = vim.api

local events =
  { "SafeState", "ModeChanged", "CmdlineLeave", "CmdwinLeave", "BufEnter", "InsertLeave" }

---@type table<string, { is_calm: fun(): boolean, run: fun() }>
local waiting = {}
---@type integer?
local group

--- Whether Neovim waits for a key in normal mode with nothing typed yet.
---@return boolean
function M.is_idle()
  return api.nvim_get_mode().mode == "n"
    and vim.fn.getcmdwintype() == ""
    and vim.fn.state("omS") == ""
end

--- Whether text of the buffer may change: another one is current, or the user is idle.
---@param buf integer
---@return boolean
function M.may_edit(buf)
  if api.nvim_get_current_buf() ~= buf then
    return true
  end
  -- A terminal or a command line without a preview would do no harm, but are soon over as well.
  return M.is_idle()
end

local function flush()
  for name, task in pairs(waiting) do
    if task.is_calm() then
      waiting[name] = nil
      task.run()
    end
  end
  if group and next(waiting) == nil then
    api.nvim_del_augroup_by_id(group)
    group = nil
  end
end

--- Runs something now or at a calm moment. A later call of the same name takes the earlier one's place.
---@param name string
---@param is_calm fun(): boolean
---@param run fun()
function M.run(name, is_calm, run)
  if is_calm() then
    waiting[name] = nil
    run()
    return
  end
  waiting[name] = { is_calm = is_calm, run = run }
  if not group then
    group = api.nvim_create_augroup("codex-chat.reload.calm", {})
    api.nvim_create_autocmd(events, {
      group = group,
      -- Not within the event: no autocommand would run there.
      callback = vim.schedule_wrap(flush),
    })
  end
end

return M
