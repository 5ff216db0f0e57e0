--- Goes from query to query, and lists the queries with their answers. Rows are 0-based.
local M = {}

local format = require("codex-chat.format")

local api = vim.api

--- Characters of a line that the outline shows; its window cuts the rest.
local max_chars = 200

---@class (exact) codex-chat.Section
---@field row integer of its heading
---@field role "user"|"codex"

--- The sections of a conversation, in one pass over its lines.
---
--- A fence that a query leaves open ends with the query, and one that an answer leaves open (it was cut
--- off) hides nothing: no line of an answer is a heading.
---@param lines string[]
---@return codex-chat.Section[]
function M.sections(lines)
  local found, fence, role = {}, nil, nil
  local hidden = {} ---@type codex-chat.Section[] in the open fence
  for i = format.front_matter_end(lines) + 1, #lines do
    local line = lines[i]
    local heading = line:byte(1) == 35 and format.role_of(line) or nil -- "#"
    if heading and fence and role ~= "user" then
      hidden[#hidden + 1] = { row = i - 1, role = heading }
    elseif heading then
      found[#found + 1] = { row = i - 1, role = heading }
      fence, role, hidden = nil, heading, {}
    else
      local edge
      fence, edge = format.step(fence, line)
      hidden = edge and {} or hidden
    end
  end
  return vim.list_extend(found, hidden)
end

---@param chat codex-chat.Chat
---@return string[]
local function lines_of(chat)
  return api.nvim_buf_get_lines(chat.buf, 0, -1, false)
end

--- Goes to the heading of the query `count` queries below the cursor, or above it if `count` is
--- negative; to the last one on the way if there are fewer.
---@param chat codex-chat.Chat
---@param count integer
function M.go(chat, count)
  local here = api.nvim_win_get_cursor(0)[1] - 1
  local rows = {}
  for _, section in ipairs(M.sections(lines_of(chat))) do
    local is_ahead = count > 0 and section.row > here or count < 0 and section.row < here
    if section.role == "user" and is_ahead then
      table.insert(rows, count > 0 and #rows + 1 or 1, section.row)
    end
  end
  local row = rows[math.min(math.abs(count), #rows)]
  if not row then
    return
  end
  local is_motion = vim.fn.mode(1):find("^no") ~= nil
  if not is_motion then
    vim.cmd("normal! m'")
  end
  local is_seen = row + 1 >= vim.fn.line("w0") and row + 1 <= vim.fn.line("w$")
  api.nvim_win_set_cursor(0, { row + 1, 0 })
  if not is_seen and not is_motion then
    -- The answer below it is to be read.
    vim.cmd("normal! zt")
  end
end

--- How many lines of an answer are looked at for its first words.
local max_lines = 200

--- Whether a line of an answer is words, and not a call, a thought or a notice.
---@param line string
---@return boolean
local function is_prose(line)
  return line:byte(1) ~= 62 -- ">"
    and require("codex-chat.buffer.calls").verb_of(line) == nil
    and line ~= "**Answer**"
end

--- The first line with text of a section; of an answer, the first one with words if there is any.
---@param lines string[]
---@param section codex-chat.Section
---@param stop integer the row after the section
---@return string?
local function first_line(lines, section, stop)
  local found, fence, edge
  for i = section.row + 2, math.min(stop, section.row + max_lines) do
    local line = lines[i]
    fence, edge = format.step(fence, line)
    if line:find("%S") then
      local is_words = section.role == "user" or not fence and not edge and is_prose(line)
      found = (is_words or not found) and line or found
      if is_words then
        break
      end
    end
  end
  local text = found and vim.trim((found:gsub("%c", " ")))
  if text and section.role == "codex" then
    text = text:gsub("%*%*(.-)%*%*", "%1"):gsub("`+", "")
  end
  return text and vim.fn.strcharpart(text, 0, max_chars)
end

--- The entries of the outline.
---@param chat codex-chat.Chat
---@return table[]
local function entries(chat)
  local lines = lines_of(chat)
  local all, items = M.sections(lines), {}
  for i, section in ipairs(all) do
    local text = first_line(lines, section, all[i + 1] and all[i + 1].row or #lines)
    if text then
      items[#items + 1] = {
        bufnr = chat.buf,
        lnum = section.row + 1,
        text = text,
        type = section.role == "codex" and "A" or "Q",
      }
    end
  end
  return items
end

--- What an entry looks like: the queries, and the first line of each answer below its query.
---@param info table see 'quickfixtextfunc'
---@return string[]
function M.outline_text(info)
  local all = vim.fn.getloclist(info.winid, { id = info.id, items = 1 }).items
  local shown = {}
  for i = info.start_idx, info.end_idx do
    shown[#shown + 1] = (all[i].type == "A" and "    " or "") .. all[i].text
  end
  return shown
end

--- Lists the queries and answers in the window's location list, and goes there.
---@param chat codex-chat.Chat
function M.outline(chat)
  local items = entries(chat)
  if #items == 0 then
    require("codex-chat.message").info("there is no query yet.")
    return
  end
  local page = require("codex-chat.ui.page")
  local origin = page.origin()
  local here, at = api.nvim_win_get_cursor(0)[1], 1
  for i, item in ipairs(items) do
    at = item.lnum <= here and i or at
  end
  vim.fn.setloclist(0, {}, " ", {
    title = "Outline",
    items = items,
    idx = at,
    quickfixtextfunc = "v:lua.require'codex-chat.chat.keys.turns'.outline_text",
  })
  require("codex-chat.outside.runtime").without_projects("qf", function()
    vim.cmd(("lopen %d"):format(math.min(#items, 10)))
  end)
  page.closes(api.nvim_get_current_buf(), origin)
end

return M
