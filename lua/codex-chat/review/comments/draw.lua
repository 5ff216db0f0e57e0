--- Shows comments below their lines, and follows the lines while the text changes.
local M = {}

local store = require("codex-chat.review.comments.store")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.review.comments")
local blanks = api.nvim_create_namespace("codex-chat.review.blanks")

---@class (exact) codex-chat.DrawnComments
---@field chat codex-chat.Chat
---@field path string
---@field side "left"|"right"
---@field marks table<string, integer> extmarks by the comment's id

---@type table<integer, codex-chat.DrawnComments> by buffer
local drawn = {}

--- How far from its line a comment's code is looked for, in lines.
local max_distance = 5000

---@param buf integer
---@param code string[]
---@param first integer 1-based
---@return boolean
local function is_at(buf, code, first)
  if first < 1 then
    return false
  end
  return vim.deep_equal(api.nvim_buf_get_lines(buf, first - 1, first - 1 + #code, false), code)
end

--- The line where a comment's code is now, the nearest to where it was; nil if it is gone.
---@param buf integer
---@param comment codex-chat.Comment
---@return integer? first
function M.find(buf, comment)
  if #comment.code == 0 or is_at(buf, comment.code, comment.first) then
    return comment.first
  end
  local count = api.nvim_buf_line_count(buf)
  for distance = 1, math.min(count, max_distance) do
    for _, first in ipairs({ comment.first - distance, comment.first + distance }) do
      if is_at(buf, comment.code, first) then
        return first
      end
    end
  end
end

--- Wraps a text to a number of columns.
---@param text string
---@param width integer
---@return string[]
local function wrapped(text, width)
  local lines = {}
  for _, line in ipairs(vim.split(text, "\n", { plain = true })) do
    local rest = line:gsub("%c", " ")
    while api.nvim_strwidth(rest) > width do
      local chars = width
      while api.nvim_strwidth(vim.fn.strcharpart(rest, 0, chars)) > width do
        chars = chars - 1
      end
      local head = vim.fn.strcharpart(rest, 0, chars)
      local blank = head:match("^.*() ")
      if blank and blank > #head / 2 then
        head = head:sub(1, blank - 1)
      end
      lines[#lines + 1] = head
      rest = rest:sub(#head + 1):gsub("^ +", "")
    end
    lines[#lines + 1] = rest
  end
  return lines
end

---@param buf integer
---@return integer
local function room(buf)
  return math.max(require("codex-chat.buffer.columns").narrowest(buf, 72), 20)
end

---@param buf integer
---@param comment codex-chat.Comment
---@param is_gone boolean
---@return table[]
local function lines_of(buf, comment, is_gone)
  local width, found = room(buf), {}
  local function add(line, group)
    local pad = math.max(0, width - 2 - api.nvim_strwidth(line))
    found[#found + 1] =
      { { "▎ ", "CodexChatReviewCommentBar" }, { line .. (" "):rep(pad), group } }
  end
  if is_gone then
    add("the code of this comment has changed", "CodexChatReviewCommentGone")
  end
  for _, line in ipairs(wrapped(comment.text, width - 3)) do
    add(line, "CodexChatReviewCommentText")
  end
  return found
end

--- Draws the comments on one side of a file into its buffer.
---@param chat codex-chat.Chat
---@param buf integer
---@param path string
---@param side "left"|"right"
function M.draw(chat, buf, path, side)
  if not api.nvim_buf_is_loaded(buf) then
    return
  end
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  drawn[buf] = { chat = chat, path = path, side = side, marks = {} }
  local count = api.nvim_buf_line_count(buf)
  for _, comment in ipairs(store.of(chat, path, side)) do
    if comment.first > 0 then
      local first = M.find(buf, comment)
      local at = math.min(first or comment.first, count)
      local last = math.min(at + math.max(comment.last - comment.first, 0), count)
      drawn[buf].marks[comment.id] = api.nvim_buf_set_extmark(buf, ns, last - 1, 0, {
        virt_lines = lines_of(buf, comment, first == nil),
        right_gravity = false,
      })
    end
  end
end

--- Draws comments below given lines of a buffer that is no file.
---@param buf integer
---@param places table<codex-chat.Comment, integer> 1-based
function M.at_lines(buf, places)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  for comment, line in pairs(places) do
    api.nvim_buf_set_extmark(buf, ns, line - 1, 0, { virt_lines = lines_of(buf, comment, false) })
  end
end

--- Removes the drawing.
---@param buf integer
function M.clear(buf)
  drawn[buf] = nil
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, ns, 0, -1)
    api.nvim_buf_clear_namespace(buf, blanks, 0, -1)
  end
end

--- Takes over where the text has moved to. A comment whose code is gone keeps the code.
---@param buf integer
---@return boolean changed
function M.sync(buf)
  local state = drawn[buf]
  if not state or not api.nvim_buf_is_loaded(buf) then
    return false
  end
  local changed = false
  for _, comment in ipairs(store.of(state.chat, state.path, state.side)) do
    local mark = state.marks[comment.id]
    local place = mark and api.nvim_buf_get_extmark_by_id(buf, ns, mark, {})
    if place and place[1] then
      local last = place[1] + 1
      local first = math.max(1, last - (comment.last - comment.first))
      if last ~= comment.last then
        comment.first, comment.last, changed = first, last, true
      end
    end
  end
  return changed
end

--- Takes over all that has moved, and has the host keep it.
---@param chat codex-chat.Chat
function M.sync_all(chat)
  local changed = false
  for buf, state in pairs(drawn) do
    changed = (state.chat == chat and M.sync(buf)) or changed
  end
  if changed then
    store.save(chat)
  end
end

--- Puts as many blank lines on the other side as comments take on this one, so that the two sides of a
--- pair stay level.
---@param from integer buffer with comments
---@param to integer buffer
---@param beside fun(line: integer): integer the line of `to` beside one of `from`
function M.level(from, to, beside)
  local count = api.nvim_buf_line_count(to)
  for _, mark in ipairs(api.nvim_buf_get_extmarks(from, ns, 0, -1, { details = true })) do
    local line = math.min(math.max(beside(mark[2] + 1), 1), count)
    local lines = {}
    for _ = 1, #(mark[4].virt_lines or {}) do
      lines[#lines + 1] = { { "", "Normal" } }
    end
    api.nvim_buf_set_extmark(to, blanks, line - 1, 0, { virt_lines = lines })
  end
end

---@param buf integer
function M.clear_level(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, blanks, 0, -1)
  end
end

return M
