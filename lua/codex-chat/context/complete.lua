--- Completion in the prompt: files and other mentions after `@`, commands and prompts after `/`.
--- One engine for `omnifunc`, for typing, and for the sources of blink.cmp and nvim-cmp.
local M = {}

local api = vim.api

local max_items = 200

---@class (exact) codex-chat.Completion
---@field word string what is put in
---@field menu string

---@param text string what was typed of the word
---@param files string[]
---@return string[]
local function matching(text, files)
  if text == "" then
    return vim.list_slice(files, 1, max_items)
  end
  -- The first as a number of the best: a project may have 50,000 files.
  local ok, found = pcall(vim.fn.matchfuzzy, files, text, { limit = max_items })
  return ok and found or {}
end

--- What can stand at the cursor.
---@param chat codex-chat.Chat
---@param before string the line up to the cursor
---@param on_more? fun() called when more files are known
---@return integer? start byte column where the word begins, 0-based
---@return codex-chat.Completion[]
function M.items(chat, before, on_more)
  local slash = before:match("^/([%w_-]*)$")
  if slash then
    local slashes = require("codex-chat.context.slash").commands
    local items = {}
    for name, menu in vim.spairs(slashes) do
      items[#items + 1] = { word = "/" .. name, menu = menu }
    end
    for _, name in ipairs(require("codex-chat.context.templates").names()) do
      items[#items + 1] = { word = "/" .. name, menu = "prompt" }
    end
    return 0,
      vim.tbl_filter(function(item)
        return vim.startswith(item.word, "/" .. slash)
      end, items)
  end
  local start, typed = before:match('()@("?[^%s@"]*)$')
  if not start or (start > 1 and not before:sub(start - 1, start - 1):find("[%s%(%[\"'{]")) then
    return nil, {}
  end
  local mention = require("codex-chat.context.mention")
  local items = {}
  for _, word in ipairs(mention.words) do
    if vim.startswith(word[1], typed) then
      items[#items + 1] = { word = "@" .. word[1], menu = word[2] }
    end
  end
  local files = require("codex-chat.context.files").list(chat.root, on_more)
  for _, path in ipairs(matching((typed:gsub('^"', "")), files)) do
    items[#items + 1] = { word = mention.of_path(path), menu = "" }
  end
  return start - 1, items
end

---@return codex-chat.Chat?
---@return string before
local function here()
  local chat = require("codex-chat.registry").get(0)
  local cursor = api.nvim_win_get_cursor(0)
  if not chat or cursor[1] - 1 < require("codex-chat.blocks").prompt_row(chat) then
    return nil, ""
  end
  return chat, api.nvim_get_current_line():sub(1, cursor[2])
end

--- 'omnifunc' and 'completefunc'.
---@param findstart integer
---@return integer|table[]
function M.omnifunc(findstart)
  local chat, before = here()
  local start, items
  if chat then
    start, items = M.items(chat, before)
  end
  if findstart == 1 then
    return start or -3
  end
  return items or {}
end

--- Whether another plugin completes in this buffer.
---@return boolean
local function has_other()
  if package.loaded["blink.cmp"] then
    return true
  end
  local cmp = package.loaded["cmp"]
  return cmp ~= nil and type(cmp) == "table"
end

--- Shows the menu without putting anything in: who types on must not have typed something else.
---@param column integer 1-based
---@param items codex-chat.Completion[]
local function show(column, items)
  local usual = vim.o.completeopt
  vim.o.completeopt = "menuone,noinsert,noselect"
  api.nvim_create_autocmd("CompleteDone", {
    once = true,
    callback = function()
      vim.o.completeopt = usual
    end,
  })
  vim.fn.complete(column, items)
end

local function offer()
  if vim.fn.mode() ~= "i" or vim.fn.pumvisible() == 1 then
    return
  end
  local chat, before = here()
  if not chat then
    return
  end
  local tick = api.nvim_buf_get_changedtick(chat.buf)
  local start, items = M.items(chat, before, function()
    if api.nvim_buf_is_valid(chat.buf) and api.nvim_buf_get_changedtick(chat.buf) == tick then
      offer()
    end
  end)
  if start and #items > 0 then
    show(start + 1, items)
  end
end

--- Completes in the chat: by keys, and while typing unless the user has a plugin for that.
---@param chat codex-chat.Chat
function M.attach(chat)
  local func = "v:lua.require'codex-chat.context.complete'.omnifunc"
  vim.bo[chat.buf].omnifunc = func
  vim.bo[chat.buf].completefunc = func
  api.nvim_create_autocmd("TextChangedI", {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      if require("codex-chat.config").get().completion.auto and not has_other() then
        offer()
      end
    end,
  })
end

return M
