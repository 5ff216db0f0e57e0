--- Recalls earlier queries of the project into an empty prompt: those of this conversation, then those
--- of the others, the last written first. Each is one step further back; a text that was edited stays.
local M = {}

local blocks = require("codex-chat.buffer.blocks")
local format = require("codex-chat.format")
local prompt = require("codex-chat.prompt")
local registry = require("codex-chat.registry")
local turns = require("codex-chat.chat.keys.turns")

local api = vim.api

--- How many other conversations are read, one at a time as the user goes back.
local max_files = 200
--- Larger ones are skipped: reading one is a pause of the editor.
local max_bytes = 4 * 1024 * 1024

---@class (exact) codex-chat.Recall
---@field texts string[] the latest first, each once
---@field seen table<string, true>
---@field files? string[] conversations that are not read yet
---@field at integer the shown text; 0 for the empty prompt

---@type table<integer, codex-chat.Recall> by the chat's buffer
local recalls = {}

require("codex-chat.events").hook("Closed", function(data)
  recalls[data.buf] = nil
end)

--- Adds the queries of a conversation's lines, the last first.
---@param recall codex-chat.Recall
---@param lines string[]
---@param stop integer how many of the lines count
local function add(recall, lines, stop)
  local sections = turns.sections(lines)
  for i = #sections, 1, -1 do
    local section = sections[i]
    if section.role == "user" and section.row < stop then
      local last = sections[i + 1] and sections[i + 1].row or #lines
      local text = table.concat(vim.list_slice(lines, section.row + 2, last), "\n")
      text = format.without_context((text:gsub("^[%s\n]*\n", ""):gsub("%s+$", "")))
      text = text:gsub("%s+$", "")
      -- It was typed with two slashes: with one it would be a command.
      if text:find("^/%a") and not text:find("\n") then
        text = "/" .. text
      end
      if text ~= "" and not recall.seen[text] then
        recall.seen[text] = true
        table.insert(recall.texts, text)
      end
    end
  end
end

--- The lines of another conversation, and how many of them are above its prompt.
---@param path string
---@return string[]? lines nil if it cannot be read
---@return integer stop
local function lines_of(path)
  local buf = registry.find_name(path)
  local chat = buf and registry.get(buf)
  if chat and api.nvim_buf_is_loaded(chat.buf) then
    return api.nvim_buf_get_lines(chat.buf, 0, -1, false), blocks.prompt_row(chat)
  end
  -- SECURITY: a conversation in the project may be the agent's text. It is only shown in the prompt.
  local text = require("codex-chat.disk.look").read(path, max_bytes)
  local lines = text and vim.split(text, "\r?\n")
  if not lines then
    return nil, 0
  end
  return lines, require("codex-chat.buffer.markdown").scan(lines).prompt or #lines
end

--- The project's other conversations, the last written first.
---@param chat codex-chat.Chat
---@return string[]
local function other_files(chat)
  local projects = require("codex-chat.project")
  local paths = vim.tbl_filter(function(path)
    return path ~= chat.path
  end, projects.list_chats(projects.at(chat.root)))
  return vim.list_slice(paths, 1, max_files)
end

--- The text `n` steps back; nil if there are fewer.
---@param chat codex-chat.Chat
---@param recall codex-chat.Recall
---@param n integer
---@return string?
local function text_at(chat, recall, n)
  while not recall.texts[n] do
    recall.files = recall.files or other_files(chat)
    local path = table.remove(recall.files, 1)
    if not path then
      return nil
    end
    local lines, stop = lines_of(path)
    if lines then
      add(recall, lines, stop)
    end
  end
  return recall.texts[n]
end

--- Whether the cursor is at the first or behind the last character of the prompt's text.
---@param chat codex-chat.Chat
---@return boolean
local function is_at_an_end(chat)
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local last = api.nvim_buf_line_count(chat.buf)
  local is_first = row == blocks.prompt_row(chat) + 2 and col == 0
  return is_first or row == last and col == #api.nvim_get_current_line()
end

--- What the keys go through now; nil if they mean something else here.
---@param chat codex-chat.Chat
---@return codex-chat.Recall?
local function current(chat)
  local in_prompt = api.nvim_win_get_cursor(0)[1] > blocks.prompt_row(chat) + 1
  if
    vim.fn.mode(1) ~= "i"
    or not in_prompt
    or require("codex-chat.complete.menus").is_shown()
    or not vim.bo.modifiable
  then
    return nil
  end
  if prompt.is_empty(chat) then
    local recall = { texts = {}, seen = {}, at = 0 }
    local lines = api.nvim_buf_get_lines(chat.buf, 0, -1, false)
    add(recall, lines, blocks.prompt_row(chat))
    return recall
  end
  local recall = recalls[chat.buf]
  if recall and recall.texts[recall.at] == prompt.text(chat) and is_at_an_end(chat) then
    return recall
  end
end

---@param lhs string?
local function pass_on(lhs)
  if lhs then
    local keys = require("codex-chat.buffer.backspace").global(lhs)
    api.nvim_feedkeys(vim.keycode(keys), "im", false)
  end
end

--- Shows an earlier query (`step` 1) or a later one (-1) in the prompt.
---@param chat codex-chat.Chat
---@param step 1|-1
---@param lhs? string the key that was typed, which otherwise does what it does elsewhere
function M.go(chat, step, lhs)
  local recall = current(chat)
  local n = recall and recall.at + step or -1
  local text = recall and n > 0 and text_at(chat, recall, n) or nil
  if not recall or n < 0 or (not text and recall.at == 0) then
    pass_on(lhs)
    return
  elseif not text and n > 0 then
    -- This is the earliest one.
    return
  end
  recall.at = n
  recalls[chat.buf] = recall
  require("codex-chat.buffer.heading").settle(chat)
  -- An edit of the user's, so `u` takes it back.
  local row = blocks.prompt_row(chat)
  api.nvim_buf_set_lines(chat.buf, row + 1, -1, false, vim.split(text or "", "\n"))
  vim.bo[chat.buf].modified = false
  prompt.enter(chat, api.nvim_get_current_win())
  require("codex-chat.ui.hint").show(chat)
end

return M
