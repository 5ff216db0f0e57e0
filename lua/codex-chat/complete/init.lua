--- Completion in the prompt: by `omnifunc`, while typing, and through blink.cmp and nvim-cmp.
local M = {}

local items_at = require("codex-chat.complete.items").at
local menus = require("codex-chat.complete.menus")

local api = vim.api

---@return codex-chat.Chat?
---@return string before
local function here()
  local chat = require("codex-chat.registry").get(0)
  local cursor = api.nvim_win_get_cursor(0)
  if not chat or cursor[1] - 1 < require("codex-chat.buffer.blocks").prompt_row(chat) then
    return nil, ""
  end
  return chat, api.nvim_get_current_line():sub(1, cursor[2])
end

---@type codex-chat.Completion[] the items of the last call of `M.omnifunc` with 1
local found = {}

--- 'omnifunc' and 'completefunc'.
---@param findstart integer
---@return integer|table
function M.omnifunc(findstart)
  if findstart == 0 then
    -- The line no longer has the word. Further letters are matched here as well.
    return { words = M.entries(found), refresh = "always" }
  end
  local chat, before = here()
  local start
  found = {}
  if chat then
    start, found = items_at(chat, before)
  end
  return start or -3
end

--- Items for Neovim's menu; with `equal` it does not match them itself.
---@param items codex-chat.Completion[]
---@return table[]
function M.entries(items)
  return vim.tbl_map(function(item)
    return { word = item.word, menu = vim.fn.strcharpart(item.menu, 0, 60), equal = 1, dup = 1 }
  end, items)
end

--- Opens the menu without inserting anything, so that typing on never changes the typed text. The
--- option matters only during the call, and is restored after it.
---@param column integer 1-based
---@param items codex-chat.Completion[]
local function show(column, items)
  local scope = vim.fn.has("nvim-0.11") == 1 and { buf = 0 } or { scope = "global" }
  local usual = api.nvim_get_option_value("completeopt", scope)
  api.nvim_set_option_value("completeopt", "menuone,noinsert,noselect", scope)
  local ok, err = pcall(vim.fn.complete, column, M.entries(items))
  api.nvim_set_option_value("completeopt", usual, scope)
  if not ok then
    error(err, 0)
  end
end

--- Whether the open menu must be left alone: it is not ours, or an item is selected.
---@return boolean
local function is_taken()
  if vim.fn.pumvisible() == 0 then
    return false
  end
  local info = vim.fn.complete_info({ "mode", "selected" })
  if info.mode ~= "eval" and vim.fn.exists("+autocomplete") == 1 and vim.o.autocomplete then
    -- It opened by itself, and does not know mentions.
    return info.selected >= 0
  end
  return info.mode ~= "eval" or info.selected >= 0
end

local function offer()
  if vim.fn.mode() ~= "i" or is_taken() then
    return
  end
  local chat, before = here()
  if not chat then
    return
  end
  local tick = api.nvim_buf_get_changedtick(chat.buf)
  local start, items = items_at(chat, before, function()
    if api.nvim_buf_is_valid(chat.buf) and api.nvim_buf_get_changedtick(chat.buf) == tick then
      offer()
    end
  end)
  -- A word that is complete need not be offered.
  if start and #items == 1 and before:sub(start + 1) == items[1].word then
    items = {}
  end
  if start and (#items > 0 or vim.fn.pumvisible() == 1) then
    show(start + 1, items)
  end
end

--- Completes in the chat: by keys, and while typing unless a plugin does it.
---@param chat codex-chat.Chat
function M.attach(chat)
  local func = "v:lua.require'codex-chat.complete'.omnifunc"
  vim.bo[chat.buf].omnifunc = func
  vim.bo[chat.buf].completefunc = func
  -- Lists the files before the first one is typed.
  api.nvim_create_autocmd("InsertEnter", {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      require("codex-chat.async").drawn(function()
        require("codex-chat.context.files").list(chat.root)
      end)
    end,
  })
  api.nvim_create_autocmd({ "TextChangedI", "TextChangedP" }, {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      if require("codex-chat.config").get().completion.auto and not menus.serves() then
        offer()
      end
    end,
  })
  menus.attach(chat)
end

return M
