--- The completion items at a place in the prompt: files and other mentions after `@`, skills after `$`,
--- commands and prompts after `/`. One engine for `omnifunc`, for typing, and for the sources of
--- blink.cmp and nvim-cmp.
local M = {}

local max_items = 200

---@class (exact) codex-chat.Completion
---@field word string the inserted text
---@field menu string

--- The items whose word matches, the best first.
---@param items codex-chat.Completion[]
---@param typed string with the mark at its start
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

--- The items for the word at the cursor.
---@param chat codex-chat.Chat
---@param before string the line up to the cursor
---@param on_more? fun() called when more files are known
---@return integer? start byte column where the word begins, 0-based
---@return codex-chat.Completion[]
function M.at(chat, before, on_more)
  if before:find("^/[%w_:-]*$") then
    return 0, slashes(chat, before)
  end
  local start, mark, typed = before:match('()([@$])([^%s@$"]*)$')
  if not start then
    -- A quoted path may have blanks.
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

--- Items in the form of the language server protocol, for completion plugins. These match by their own
--- rules, so the typed text is the text to match, and the order here counts.
---@param buf integer
---@param row integer 0-based
---@param before string the line up to the cursor
---@return table[]
function M.lsp(buf, row, before)
  local chat = require("codex-chat.registry").get(buf)
  if not chat or row < require("codex-chat.buffer.blocks").prompt_row(chat) then
    return {}
  end
  local start, items = M.at(chat, before)
  local list = {}
  for i, item in ipairs(start and items or {}) do
    list[i] = {
      label = item.word,
      labelDetails = { description = item.menu },
      filterText = before:sub(start + 1),
      sortText = ("%04d"):format(i),
      -- File, else Keyword.
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

return M
