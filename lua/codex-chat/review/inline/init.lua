--- A review in one buffer: the changed places of all files below one another, with a few lines around
--- them.
---
--- The buffer is a scratch buffer without a file type: its lines are the files' own, so that they can be
--- yanked, and numbers and signs stand before them as virtual text.
local M = {}

local draw = require("codex-chat.review.comments.draw")
local files = require("codex-chat.review.files")
local hunks = require("codex-chat.review.hunks")
local keys = require("codex-chat.review.keys")
local layout = require("codex-chat.review.layout")
local list = require("codex-chat.review.list")
local quickfix = require("codex-chat.review.quickfix")
local registry = require("codex-chat.registry")
local state = require("codex-chat.review.state")
local store = require("codex-chat.review.comments.store")
local text = require("codex-chat.review.text")

local api = vim.api

---@type table<codex-chat.ReviewFile, { before?: string[], after?: string[] }>
local sides = setmetatable({}, { __mode = "k" })

---@param review codex-chat.Review
local function render(review)
  require("codex-chat.review.inline.render").render(review, sides)
  M.draw_comments(review)
end

--- The place of the cursor.
---@param review codex-chat.Review
---@param line? integer
---@return codex-chat.InlinePlace?
local function here(review, line)
  if not review.places or api.nvim_get_current_win() ~= review.right_win then
    return nil
  end
  return review.places[line or api.nvim_win_get_cursor(0)[1]]
end

---@param review codex-chat.Review
local function make(review)
  local buf = text.scratch("review/changes", {}, "")
  review.inline_buf, review.left_buf = buf, buf
  api.nvim_win_set_buf(review.right_win, buf)
  for name, value in pairs({
    number = false,
    relativenumber = false,
    signcolumn = "no",
    foldcolumn = "0",
    wrap = false,
    list = false,
    cursorline = true,
  }) do
    vim.wo[review.right_win][0][name] = value
  end
  keys.map(buf, true)
  local function map(lhs, action, desc)
    vim.keymap.set("n", lhs, action, { buffer = buf, nowait = true, desc = "codex-chat: " .. desc })
  end
  map("<CR>", function()
    M.jump(review)
  end, "open the file at this line")
  for lhs, step in pairs({ ["]c"] = 1, ["[c"] = -1 }) do
    map(lhs, function()
      for _ = 1, vim.v.count1 do
        M.step(review, step)
      end
    end, step == 1 and "next change" or "previous change")
  end
  local total = ("%%#CodexChatReviewTitle# %s%%*%%=%%#CodexChatMuted#%s accept  %s back  %s comment %%*"):format(
    list.plain(review.title),
    keys.of("accept"),
    keys.of("reject"),
    keys.of("comment")
  )
  layout.set_winbar(review.right_win, total)
end

--- Goes to the next or previous change of the buffer.
---@param review codex-chat.Review
---@param step 1|-1
function M.step(review, step)
  local line = api.nvim_win_get_cursor(0)[1]
  local function is_change(i)
    local place = review.places[i]
    return place ~= nil and (place.kind == "added" or place.kind == "removed")
  end
  local at = line + step
  while review.places[at] do
    if is_change(at) and not is_change(at - 1) and (step == -1 or at > line) then
      api.nvim_win_set_cursor(0, { at, 0 })
      return
    end
    at = at + step
  end
end

--- Opens the file at the line under the cursor, in the window that the review was opened from.
---@param review codex-chat.Review
function M.jump(review)
  local place = here(review)
  if not place or not vim.uv.fs_stat(place.file.path) then
    return
  end
  local line, path, from = place.right or 1, place.file.path, review.from
  layout.on_closed()
  if api.nvim_win_is_valid(from) and not registry.get(api.nvim_win_get_buf(from)) then
    api.nvim_set_current_win(from)
  else
    vim.cmd("tab split")
  end
  vim.cmd.edit(vim.fn.fnameescape(path))
  api.nvim_win_set_cursor(0, { math.min(math.max(line, 1), api.nvim_buf_line_count(0)), 0 })
end

--- Makes the file under the cursor the one that decisions are about.
---@param review codex-chat.Review
---@return codex-chat.ReviewFile
function M.file(review)
  local place = here(review)
  local file = place and place.file or review.showing --[[@as codex-chat.ReviewFile]]
  review.showing, review.shown = file, file
  review.before = sides[file] and sides[file].before
  if review.before and vim.uv.fs_stat(file.path) then
    local buf = registry.find_name(file.path) or vim.fn.bufadd(file.path)
    if not api.nvim_buf_is_loaded(buf) then
      text.read_quietly(buf, text.filetype(file.path, sides[file].after or {}), function()
        vim.fn.bufload(buf)
      end)
      review.loaded[buf] = api.nvim_buf_get_changedtick(buf)
    end
    review.right_buf = buf
  else
    review.right_buf, review.before = nil, nil
  end
  return file
end

M.right_lines = hunks.right_lines
M.hunks = hunks.of

---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@return codex-chat.LineHunk[]
function M.count(review, file)
  local found = M.hunks(review)
  if file.added and review.before then
    file.added, file.removed = hunks.counts(found)
  end
  render(review)
  return found
end

--- The hunks under the cursor or in a range of the buffer, as a whole.
---@param review codex-chat.Review
---@param range? integer[]
---@return codex-chat.LineHunk[]
function M.chosen(review, range)
  local all, found = M.hunks(review), {}
  local first = range and range[1] or api.nvim_win_get_cursor(0)[1]
  for line = first, range and range[2] or first do
    local place = here(review, line)
    if
      place
      and place.file == review.showing
      and (place.kind == "added" or place.kind == "removed")
    then
      local side = place.kind == "added" and "right" or "left"
      local _, index = hunks.at(all, side, place[side])
      if index and not vim.list_contains(found, index) then
        found[#found + 1] = index
      end
    end
  end
  return vim.tbl_map(function(index)
    return all[index]
  end, found)
end

--- Puts the cursor on a line of the file that decisions are about.
---@param review codex-chat.Review
---@param line integer
function M.go_to(review, line)
  for i, place in ipairs(review.places) do
    if
      place.file == review.showing
      and place.kind ~= "same"
      and place.right
      and place.right >= line
    then
      api.nvim_win_set_cursor(review.right_win, { i, 0 })
      return
    end
  end
end

--- The lines that a comment is about; nil where there are none.
---@param review codex-chat.Review
---@param range? integer[]
---@return { path: string, side: "left"|"right", first: integer, last: integer, code: string[] }?
function M.lines_at(review, range)
  local cursor = api.nvim_win_get_cursor(0)[1]
  local from = here(review, range and range[1] or cursor)
  local to = here(review, range and range[2] or cursor)
  if not from or not to or from.file ~= to.file or not from.right or not to.right then
    return nil
  end
  local side = from.kind == "removed" and to.kind == "removed" and "left" or "right"
  local lines = sides[from.file][side == "left" and "before" or "after"] or {}
  local first, last = from[side], to[side]
  return {
    path = from.file.path,
    side = side,
    first = first,
    last = last,
    code = vim.list_slice(lines, first, last),
  }
end

---@param review codex-chat.Review
function M.draw_comments(review)
  local buf = review.inline_buf
  if not buf or not review.places then
    return
  end
  local shown = {}
  for i, place in ipairs(review.places) do
    for _, comment in ipairs(store.of(review.chat, place.file.path)) do
      local kind = comment.side == "left" and "removed" or place.kind
      if
        comment.first > 0
        and place.kind == kind
        and place.kind ~= "file"
        and place[comment.side] == comment.last
      then
        shown[comment] = i
      end
    end
  end
  draw.at_lines(buf, shown)
end

--- Goes to a file. The first time all files are read.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@param where? "first"|"last"|integer
---@param after? fun()
function M.show(review, file, where, after)
  local function go()
    review.showing, review.shown = file, file
    render(review)
    for i, place in ipairs(review.places) do
      if place.file == file then
        api.nvim_win_set_cursor(review.right_win, { i, 0 })
        if type(where) == "number" then
          M.go_to(review, where)
        end
        break
      end
    end
    api.nvim_win_call(review.right_win, function()
      vim.cmd("normal! zt")
    end)
    list.draw(review)
    if after then
      after()
    end
  end
  local is_first = not review.inline_buf
  if is_first then
    make(review)
  end
  review.showing = file
  local some = is_first and review or { chat = review.chat, left = review.left, files = { file } }
  quickfix.all(some --[[@as any]], function(each, before, now)
    sides[each] = { before = before, after = now }
    if before and now and each.added then
      each.added, each.removed = hunks.counts(hunks.diff(before, now))
    end
  end, function()
    if state.current == review and review.showing == file then
      go()
    end
  end)
end

--- Reads the file that decisions are about again.
---@param review codex-chat.Review
---@param after fun(found: codex-chat.LineHunk[])
function M.refresh(review, after)
  local file = review.showing --[[@as codex-chat.ReviewFile]]
  files.before(review, file, function(bytes)
    if state.current ~= review then
      return
    end
    local before = bytes and text.lines(bytes, text.form_of(review.right_buf)) or {}
    sides[file] = { before = before, after = M.right_lines(review) }
    review.before = before
    local found = M.count(review, file)
    list.draw(review)
    after(found)
  end)
end

return M
