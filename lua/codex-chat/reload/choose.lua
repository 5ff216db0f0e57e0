--- Shows a buffer beside its changed file in diff mode, and asks whose text is to stay.
local M = {}

local api = vim.api
local conflict = require("codex-chat.reload.conflict")
local say = require("codex-chat.message")

---@param buf integer
---@param content codex-chat.Content
---@return integer tab
local function show(buf, content)
  local switchbuf = vim.o.switchbuf
  vim.o.switchbuf = ""
  vim.cmd(("tab sbuffer %d"):format(buf))
  vim.o.switchbuf = switchbuf
  local tab = api.nvim_get_current_tabpage()
  local name = vim.fs.basename(api.nvim_buf_get_name(buf))
  vim.cmd("diffthis")
  local disk = api.nvim_create_buf(false, true)
  pcall(api.nvim_buf_set_name, disk, ("codex-chat://on-disk/%s#%d"):format(name, disk))
  -- SECURITY: the agent's text, which is only shown.
  vim.bo[disk].modeline, vim.bo[disk].swapfile, vim.bo[disk].bufhidden = false, false, "wipe"
  api.nvim_buf_set_lines(disk, 0, -1, false, content.lines)
  vim.bo[disk].modified, vim.bo[disk].modifiable = false, false
  local filetype = vim.bo[buf].filetype
  if filetype ~= "" then
    require("codex-chat.outside.runtime").set_filetype(disk, filetype)
    vim.bo[disk].modeline = false
  end
  api.nvim_open_win(disk, false, { split = "left", win = 0 })
  api.nvim_win_call(vim.fn.win_findbuf(disk)[1], function()
    vim.cmd("diffthis")
  end)
  return tab
end

---@param tab integer
---@param buf integer
local function close(tab, buf)
  if not api.nvim_tabpage_is_valid(tab) then
    return
  end
  for _, win in ipairs(api.nvim_tabpage_list_wins(tab)) do
    if api.nvim_win_get_buf(win) == buf then
      api.nvim_win_call(win, function()
        vim.cmd("diffoff")
      end)
    end
  end
  if #api.nvim_list_tabpages() > 1 then
    vim.cmd(("silent! tabclose %d"):format(api.nvim_tabpage_get_number(tab)))
  end
end

--- Asks about one conflict.
---@param buf integer
function M.ask(buf)
  local found = conflict.of(buf)
  if not found then
    say.info("no question is waiting for an answer.")
    return
  end
  local merged = conflict.merged(buf)
  local choices = { { "Keep mine", "mine" }, { "Take the file's text", "theirs" } }
  if merged then
    local count = #merged.conflicts
    local label = count == 0 and "Merge both"
      or ("Merge both, with %d conflict%s between markers"):format(count, count == 1 and "" or "s")
    choices[#choices + 1] = { label, "merge" }
  end
  choices[#choices + 1] = { "Not now" }
  local tab = show(buf, found.content)
  vim.cmd("redraw")
  vim.ui.select(choices, {
    prompt = vim.fs.basename(api.nvim_buf_get_name(buf)) .. " changed on disk (left).",
    kind = "codex-chat-conflict",
    format_item = function(choice)
      return choice[1]
    end,
  }, function(choice)
    if not choice or not choice[2] then
      return
    end
    if conflict.of(buf) ~= found then
      say.warn("the file has changed again. :CodexChat question shows it as it is now.")
      close(tab, buf)
      return
    end
    local _, err = conflict.answer(buf, choice[2])
    close(tab, buf)
    if err then
      say.error(err)
    end
  end)
end

return M
