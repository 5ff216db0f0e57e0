--- Shows a file in diff mode: on the left a read-only buffer with what it held before, on the right the
--- file itself.
local M = {}

local draw = require("codex-chat.review.comments.draw")
local files = require("codex-chat.review.files")
local hunks = require("codex-chat.review.hunks")
local keys = require("codex-chat.review.keys")
local layout = require("codex-chat.review.layout")
local list = require("codex-chat.review.list")
local registry = require("codex-chat.registry")
local state = require("codex-chat.review.state")
local text = require("codex-chat.review.text")

local api = vim.api

--- Whether Neovim may open a file: a plain text file of a bearable size.
--- SECURITY: the agent may have put a link, a pipe or a huge file there.
---@param path string
---@return boolean
---@return string? why
---@return string[]? lines
function M.may_open(path)
  local look = require("codex-chat.disk.look")
  local stat = vim.uv.fs_lstat(path)
  if not stat then
    return false, "is not there any more"
  elseif stat.type ~= "file" then
    return false, stat.type == "link" and "is a link now" or "is not a plain file"
  elseif stat.size > text.max_bytes then
    return false, ("has %d MB, too many to show"):format(math.floor(stat.size / 1024 / 1024))
  end
  local bytes, err = look.read(path, text.max_bytes)
  if not bytes then
    return false, err
  end
  if text.is_binary(bytes) then
    return false, ("is binary and has %d bytes"):format(#bytes)
  end
  return true, nil, text.lines(bytes, text.form_of())
end

--- Shows a buffer in a window without the questions of ':buffer'.
---@param win integer
---@param buf integer
local function set_buf(win, buf)
  local hidden = vim.o.hidden
  vim.o.hidden = true
  local ok, err = pcall(api.nvim_win_set_buf, win, buf)
  vim.o.hidden = hidden
  if not ok then
    require("codex-chat.message").error((tostring(err):gsub("^.*: ", "")))
  end
end

--- Opens the working file in the review's window, as `:edit` would, but for its modeline and for file type
--- plugins of the project.
---@param review codex-chat.Review
---@param path string
---@param lines string[]
---@return integer buf
local function open_working(review, path, lines)
  local buf = registry.find_name(path) or vim.fn.bufadd(path)
  if api.nvim_buf_is_loaded(buf) then
    set_buf(review.right_win, buf)
    return buf
  end
  text.read_quietly(buf, text.filetype(path, lines), function()
    set_buf(review.right_win, buf)
  end)
  if not review.loaded[buf] then
    review.loaded[buf] = api.nvim_buf_get_changedtick(buf)
  end
  return buf
end

---@param review codex-chat.Review
---@param lines string[]
---@return integer
local function page(review, lines)
  local buf = text.scratch("after/" .. review.showing.name, lines, "")
  set_buf(review.right_win, buf)
  keys.map(buf, true)
  return buf
end

--- Shows the present file, or why there is none to show; false if it is no text.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@return boolean is_text
local function show_right(review, file)
  local before = review.right_buf
  if before then
    draw.clear(before)
  end
  if file.change == "deleted" and not vim.uv.fs_lstat(file.path) then
    review.right_buf = page(review, {})
    return true
  end
  local ok, why, lines = M.may_open(file.path)
  if ok then
    review.right_buf = open_working(review, file.path, lines or {})
  else
    review.right_buf = page(review, { ("%s %s."):format(file.name, why) })
  end
  return ok
end

---@param review codex-chat.Review
---@param lines string[]
---@param label string
local function show_left(review, lines, label)
  local old = review.left_buf
  local filetype = vim.bo[review.right_buf].filetype
  if filetype == "" then
    filetype = text.filetype(review.showing.path, lines)
  end
  local buf = text.scratch(("%s/%s"):format(label, review.showing.name), lines, filetype)
  review.left_buf = buf
  set_buf(review.left_win, buf)
  -- Neovim takes lines that only the left side has for added ones.
  vim.wo[review.left_win][0].winhighlight = "DiffAdd:CodexChatReviewRemoved"
  keys.map(buf, true)
  if old and old ~= buf and api.nvim_buf_is_valid(old) then
    pcall(api.nvim_buf_delete, old, { force = true })
  end
end

M.right_lines = hunks.right_lines
M.hunks = hunks.of

---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@param found codex-chat.LineHunk[]
local function winbars(review, file, found)
  local names = { deleted = "deleted", created = "new file", renamed = "renamed" }
  local old = file.old and text.relative(file.old, review.chat.root) or file.name
  local before = file.change == "conflict" and "to come back" or "before"
  local left = file.change == "created" and "not there" or old
  layout.set_winbar(
    review.left_win,
    ("%%#CodexChatReviewTitle# %s %%*%%#CodexChatMuted#%s%%*"):format(before, list.plain(left))
  )
  local what = names[file.change]
  if file.change == "mode" then
    what = "permissions changed"
  elseif #found > 0 and not what then
    what = #found == 1 and "1 change" or ("%d changes"):format(#found)
  elseif file.done then
    what = file.done
  end
  local hint = keys.has_room(review.right_win) and keys.hint(60) .. " " or ""
  layout.set_winbar(
    review.right_win,
    ("%%#CodexChatReviewTitle# now %%*%%#CodexChatMuted#%s · %s%%=%s%%*"):format(
      list.plain(file.name),
      what or "the same lines",
      hint
    )
  )
end

--- Draws the comments of both sides, level with one another.
---@param review codex-chat.Review
function M.draw_comments(review)
  local file = review.showing
  if not file or not review.left_buf or not review.right_buf then
    return
  end
  draw.clear_level(review.left_buf)
  draw.clear_level(review.right_buf)
  draw.draw(review.chat, review.left_buf, file.path, "left")
  draw.draw(review.chat, review.right_buf, file.path, "right")
  if not review.before then
    return
  end
  local found = hunks.diff(review.before, M.right_lines(review), true)
  for side, bufs in pairs({
    left = { review.left_buf, review.right_buf },
    right = { review.right_buf, review.left_buf },
  }) do
    draw.level(bufs[1], bufs[2], function(line)
      return hunks.beside(found, side, line)
    end)
  end
end

--- Takes a file's counts from what the two sides show.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@return codex-chat.LineHunk[]
function M.count(review, file)
  local found = M.hunks(review)
  if file.added and review.before then
    file.added, file.removed = hunks.counts(found)
  end
  winbars(review, file, found)
  return found
end

---@param review codex-chat.Review
---@param on boolean
local function diff(review, on)
  for _, win in ipairs({ review.left_win, review.right_win }) do
    api.nvim_win_call(win, function()
      vim.cmd(on and "diffthis" or "diffoff")
    end)
  end
end

---@param review codex-chat.Review
---@param found codex-chat.LineHunk[]
---@param where "first"|"last"|integer
local function place(review, found, where)
  local count = api.nvim_buf_line_count(review.right_buf)
  local line = where
  if type(where) ~= "number" then
    local hunk = where == "last" and found[#found] or found[1]
    line = hunk and hunk.right[1] or 1
  end
  line = math.min(math.max(line --[[@as integer]], 1), count)
  api.nvim_win_set_cursor(review.right_win, { line, 0 })
  api.nvim_win_call(review.right_win, function()
    vim.cmd("silent! normal! zv")
    if vim.wo.diff then
      vim.cmd("normal! zz")
      vim.cmd("syncbind")
    end
  end)
end

---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@param bytes? string
---@param err? string
---@param where "first"|"last"|integer
local function put(review, file, bytes, err, where)
  layout.release(review.left_win)
  layout.release(review.right_win)
  review.before = nil
  review.is_switching = true
  local is_text = show_right(review, file)
  review.is_switching = false
  local form = text.form_of(review.right_buf)
  if err then
    show_left(review, { err }, "before")
  elseif file.change == "unknown" then
    show_left(review, {
      "The content before is not on record:",
      "the file was too large, or changed while it was read.",
    }, "before")
  elseif bytes and text.is_binary(bytes) then
    show_left(review, { ("It was binary and had %d bytes."):format(#bytes) }, "before")
  elseif not is_text then
    local gone = file.change == "created" and "The file was not there." or "It had other content."
    show_left(review, { gone }, "before")
  else
    review.before = bytes and text.lines(bytes, form) or {}
    show_left(review, review.before, file.change == "conflict" and "wanted" or "before")
    diff(review, true)
  end
  local found = M.count(review, file)
  M.draw_comments(review)
  layout.resize(review)
  place(review, found, where)
  if api.nvim_get_current_win() == review.right_win and review.right_buf then
    keys.map(review.right_buf, vim.bo[review.right_buf].buftype == "nofile")
  end
end

--- Shows a file. `after` is called once it is shown, or never if another one is chosen meanwhile.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@param where? "first"|"last"|integer the hunk, or the line on the right; by default the first hunk
---@param after? fun()
function M.show(review, file, where, after)
  draw.sync_all(review.chat)
  review.showing = file
  list.draw(review)
  files.before(review, file, function(bytes, err)
    if
      state.current ~= review
      or review.showing ~= file
      or not api.nvim_win_is_valid(review.right_win)
    then
      return
    end
    put(review, file, bytes, err, where or "first")
    review.shown = file
    list.draw(review)
    if after then
      after()
    end
  end)
end

--- The file that the cursor decides on.
---@param review codex-chat.Review
---@return codex-chat.ReviewFile
function M.file(review)
  return review.showing --[[@as codex-chat.ReviewFile]]
end

--- Puts the cursor on a line of the right side.
---@param review codex-chat.Review
---@param line integer
function M.go_to(review, line)
  api.nvim_win_set_cursor(review.right_win, { line, 0 })
end

--- The hunk under the cursor, or those in a range of lines, cut to it.
---@param review codex-chat.Review
---@param range? integer[] first and last line in the current window
---@return codex-chat.LineHunk[]
function M.chosen(review, range)
  local side = state.side(review)
  local found = M.hunks(review)
  if range then
    return hunks.within(found, side, range[1], range[2])
  end
  return { (hunks.at(found, side, api.nvim_win_get_cursor(0)[1])) }
end

--- The lines that a comment is about.
---@param review codex-chat.Review
---@param range? integer[]
---@return { path: string, side: "left"|"right", first: integer, last: integer, code: string[] }
function M.lines_at(review, range)
  local line = api.nvim_win_get_cursor(0)[1]
  local first, last = line, line
  if range then
    first, last = range[1], range[2]
  end
  return {
    path = review.showing.path,
    side = state.side(review),
    first = first,
    last = last,
    code = api.nvim_buf_get_lines(0, first - 1, last, false),
  }
end

--- Reads the left side of the file that is shown again, after a decision.
---@param review codex-chat.Review
---@param after fun(found: codex-chat.LineHunk[])
function M.refresh(review, after)
  local file = review.showing --[[@as codex-chat.ReviewFile]]
  files.before(review, file, function(bytes)
    if state.current ~= review or review.showing ~= file or not review.before then
      return
    end
    review.before = bytes and text.lines(bytes, text.form_of(review.right_buf)) or {}
    text.put(review.left_buf, review.before)
    vim.cmd("diffupdate")
    local found = M.count(review, file)
    M.draw_comments(review)
    list.draw(review)
    after(found)
  end)
end

return M
