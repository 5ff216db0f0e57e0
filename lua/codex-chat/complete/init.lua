--- Completion in the prompt: files and other mentions after `@`, skills after `$`, commands and prompts
--- after `/`. One engine for `omnifunc`, for typing, and for the sources of blink.cmp and nvim-cmp.
local M = {}

local menus = require("codex-chat.complete.menus")

local api = vim.api

local max_items = 200

---@class (exact) codex-chat.Completion
---@field word string what is put in
---@field menu string

--- Those whose word fits, the best first.
---@param items codex-chat.Completion[]
---@param typed string with the mark that words begin with
---@return codex-chat.Completion[]
local function fitting(items, typed)
  local by_word = {}
  for _, item in ipairs(items) do
    by_word[item.word] = item
  end
  local words = vim.tbl_map(function(item)
    return item.word
  end, items)
  return vim.tbl_map(function(word)
    return by_word[word]
  end, #typed > 1 and vim.fn.matchfuzzy(words, typed) or words)
end

---@param chat codex-chat.Chat
---@param typed string
---@return codex-chat.Completion[]
local function slashes(chat, typed)
  local items = {}
  for name, menu in vim.spairs(require("codex-chat.prompt.slash").commands()) do
    items[#items + 1] = { word = "/" .. name, menu = menu }
  end
  local templates = require("codex-chat.prompt.templates")
  for _, name in ipairs(templates.names()) do
    items[#items + 1] = { word = "/" .. name, menu = templates.description(name) }
  end
  for _, skill in ipairs(require("codex-chat.context.skill").list(chat.root)) do
    items[#items + 1] = { word = "/skill:" .. skill.name, menu = skill.description }
  end
  return fitting(items, typed)
end

---@param chat codex-chat.Chat
---@param typed string
---@return codex-chat.Completion[]
local function skills(chat, typed)
  return fitting(
    vim.tbl_map(function(skill)
      return { word = "$" .. skill.name, menu = skill.description }
    end, require("codex-chat.context.skill").list(chat.root)),
    typed
  )
end

---@param chat codex-chat.Chat
---@param typed string after the `@`
---@param on_more? fun()
---@return codex-chat.Completion[]
local function mentions(chat, typed, on_more)
  local mention = require("codex-chat.context.mention")
  local items = {}
  for _, word in ipairs(mention.words) do
    if vim.startswith(word[1], typed) then
      items[#items + 1] = { word = "@" .. word[1], menu = word[2] }
    end
  end
  local picture, name = typed:match('^(image:)"?(.*)$')
  local listing = require("codex-chat.context.files")
  local files = listing.list(chat.root, on_more)
  if picture then
    files = vim.tbl_filter(function(path)
      local ending = path:lower():match("%.(%w+)$")
      return vim.list_contains({ "png", "jpg", "jpeg", "gif", "webp" }, ending)
    end, files)
  end
  local text = name or typed:gsub('^"', "")
  local best = require("codex-chat.complete.rank").best(files, text, max_items)
  for _, path in ipairs(listing.existing(chat.root, best)) do
    local word = mention.of_path(path)
    items[#items + 1] = { word = picture and "@image:" .. word:sub(2) or word, menu = "" }
  end
  return items
end

--- What can stand at the cursor.
---@param chat codex-chat.Chat
---@param before string the line up to the cursor
---@param on_more? fun() called when more files are known
---@return integer? start byte column where the word begins, 0-based
---@return codex-chat.Completion[]
function M.items(chat, before, on_more)
  if before:find("^/[%w_:-]*$") then
    return 0, slashes(chat, before)
  end
  local start, mark, typed = before:match('()([@$])([^%s@$"]*)$')
  if not start then
    -- In quotes there may be blanks.
    start, mark, typed = before:match('()(@)("[^"]*)$')
  end
  if not start then
    start, mark, typed = before:match('()(@)(image:"[^"]*)$')
  end
  if not start or (start > 1 and not before:sub(start - 1, start - 1):find("[%s%(%[\"'{]")) then
    return nil, {}
  end
  if mark == "$" then
    return start - 1, skills(chat, "$" .. typed)
  end
  return start - 1, mentions(chat, typed, on_more)
end

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

---@type codex-chat.Completion[] what the last call of `M.omnifunc` with 1 has found
local found = {}

--- 'omnifunc' and 'completefunc'.
---@param findstart integer
---@return integer|table
function M.omnifunc(findstart)
  if findstart == 0 then
    -- The line has not got the word any more. What is typed on is matched by us, too.
    return { words = M.entries(found), refresh = "always" }
  end
  local chat, before = here()
  local start
  found = {}
  if chat then
    start, found = M.items(chat, before)
  end
  return start or -3
end

--- Items as Neovim's menu takes them: with `equal` it leaves the matching to us.
---@param items codex-chat.Completion[]
---@return table[]
function M.entries(items)
  return vim.tbl_map(function(item)
    return { word = item.word, menu = vim.fn.strcharpart(item.menu, 0, 60), equal = 1, dup = 1 }
  end, items)
end

--- Items in the language server protocol's words, for plugins that complete. They match by themselves,
--- with rules of their own: what was typed is given as what fits, so that our order counts.
---@param buf integer
---@param row integer 0-based
---@param before string the line up to the cursor
---@return table[]
function M.lsp_items(buf, row, before)
  local chat = require("codex-chat.registry").get(buf)
  if not chat or row < require("codex-chat.buffer.blocks").prompt_row(chat) then
    return {}
  end
  local start, items = M.items(chat, before)
  local list = {}
  for i, item in ipairs(start and items or {}) do
    list[i] = {
      label = item.word,
      labelDetails = { description = item.menu },
      filterText = before:sub(start + 1),
      sortText = ("%04d"):format(i),
      -- A file; the others are keywords.
      kind = item.menu == "" and 17 or 14,
      textEdit = {
        newText = item.word,
        range = {
          start = { line = row, character = start },
          ["end"] = { line = row, character = #before },
        },
      },
    }
  end
  return list
end

--- Shows the menu without putting anything in: who types on must not have typed something else. The
--- option counts at the moment of the call, and is the user's again after it.
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

--- Whether the menu is one that must be left alone: not ours, or an item of it has been chosen.
---@return boolean
local function is_taken()
  if vim.fn.pumvisible() == 0 then
    return false
  end
  local info = vim.fn.complete_info({ "mode", "selected" })
  if info.mode ~= "eval" and vim.fn.exists("+autocomplete") == 1 and vim.o.autocomplete then
    -- Nobody has asked for that one, and it knows nothing of mentions.
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
  local start, items = M.items(chat, before, function()
    if api.nvim_buf_is_valid(chat.buf) and api.nvim_buf_get_changedtick(chat.buf) == tick then
      offer()
    end
  end)
  -- What stands there already need not be offered.
  if start and #items == 1 and before:sub(start + 1) == items[1].word then
    items = {}
  end
  if start and (#items > 0 or vim.fn.pumvisible() == 1) then
    show(start + 1, items)
  end
end

--- Completes in the chat: by keys, and while typing unless the user has a plugin for that.
---@param chat codex-chat.Chat
function M.attach(chat)
  local func = "v:lua.require'codex-chat.complete'.omnifunc"
  vim.bo[chat.buf].omnifunc = func
  vim.bo[chat.buf].completefunc = func
  -- The files are known by the time the first of them is typed.
  api.nvim_create_autocmd("InsertEnter", {
    group = chat.augroup,
    buffer = chat.buf,
    callback = function()
      require("codex-chat.context.files").list(chat.root)
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
