--- The review of what Codex changed: opens it, walks its files, closes it.
local M = {}

local decide = require("codex-chat.review.decide")
local draw = require("codex-chat.review.comments.draw")
local editor = require("codex-chat.review.comments.editor")
local files = require("codex-chat.review.files")
local keys = require("codex-chat.review.keys")
local layout = require("codex-chat.review.layout")
local list = require("codex-chat.review.list")
local pair = require("codex-chat.review.pair")
local say = require("codex-chat.message")
local state = require("codex-chat.review.state")
local store = require("codex-chat.review.comments.store")

local api = vim.api

--- The review in this tab page; nil after a message.
---@return codex-chat.Review?
local function here()
  local review = state.here()
  if not review then
    say.info("no review is open in this tab page; `:CodexChat diff` opens one.")
  end
  return review
end

--- Closes the review and goes back to where the user came from.
function M.close()
  local review = state.current
  state.current = nil
  if review then
    layout.close(review)
  end
end
layout.on_closed = M.close

-- A conversation that is closed has nobody to decide for.
require("codex-chat.events").hook("Closed", function(data)
  if state.current and state.current.chat.buf == data.buf then
    vim.schedule(M.close)
  end
end)

decide.decided = function(review, is_undone)
  require("codex-chat.review.signs").update(review.chat, not is_undone)
end

---@param chat codex-chat.Chat
---@param ask table
---@param found { title: string, left: string, files: codex-chat.ReviewFile[] }
---@param inline boolean
local function start(chat, ask, found, inline)
  local before = state.current
  local from
  if before then
    from = before.from
    if not state.here() then
      from = nil
    end
    M.close()
  end
  if from and api.nvim_win_is_valid(from) then
    api.nvim_set_current_win(from)
  end
  ---@type codex-chat.Review
  local review = {
    chat = chat,
    ask = ask,
    title = found.title:gsub("^%l", string.upper),
    left = found.left,
    files = found.files,
    inline = inline,
    view = inline and require("codex-chat.review.inline") or pair,
    rows = {},
    loaded = {},
    queue = {},
    steps = {},
  }
  layout.open(review)
  state.current = review
  review.view.show(review, review.files[1])
  store.load(chat, function()
    if state.current == review then
      review.view.draw_comments(review)
      list.draw(review)
    end
  end)
end

--- Opens a review of what has changed.
---@param chat codex-chat.Chat
---@param ask table parameters of `changes/list`
---@param inline boolean
function M.open(chat, ask, inline)
  files.list(chat, ask, function(changes, err)
    if err then
      say.error(err)
      return
    end
    local found = files.of(chat, changes)
    if #found == 0 then
      M.close()
      say.info("there is nothing to review: Codex has made no change that you have not accepted.")
      return
    end
    start(chat, ask, { title = changes.title, left = changes.left, files = found }, inline)
  end)
end

--- Opens files beside the versions that an undo was to bring back.
---@param chat codex-chat.Chat
---@param conflicts codex-chat.RestoreConflict[]
function M.open_conflicts(chat, conflicts)
  local text = require("codex-chat.review.text")
  local found = vim.tbl_map(function(conflict)
    return {
      path = conflict.path,
      name = text.relative(conflict.path, chat.root),
      change = "conflict",
      group = "files",
      why = conflict.why,
      wanted = conflict.wanted,
    }
  end, conflicts)
  if #found == 0 then
    say.info("no undo has left a conflict.")
    return
  end
  start(chat, {}, { title = "Left as they were", left = "", files = found }, false)
end

--- Goes to the next or the previous file, round the list.
---@param step 1|-1
function M.go(step)
  local review = here()
  if not review then
    return
  end
  local at = state.index(review, review.showing) or 1
  local count = #review.files
  review.view.show(review, review.files[(at - 1 + step) % count + 1])
  if api.nvim_get_current_win() == review.list then
    return
  end
  api.nvim_set_current_win(review.right_win)
end

--- Opens the file under the list's cursor, and goes there.
function M.open_file()
  local review = here()
  local file = review and list.file_here(review)
  if review and file then
    api.nvim_set_current_win(review.right_win)
    review.view.show(review, file)
  end
end

--- Accepts or puts back what the cursor, a range or a word says.
---@param what "accept"|"reject"
---@param which? "file"|"all"
---@param range? integer[]
function M.decide(what, which, range)
  local review = here()
  if not review then
    return
  end
  if api.nvim_get_current_win() == review.list and not which then
    which = "file"
  end
  if which then
    decide.files(review, what, which)
  else
    decide[what](review, range)
  end
end

--- Undoes the last decision.
function M.undo()
  local review = here()
  if review then
    require("codex-chat.review.decide.undo").last(review)
  end
end

editor.removed = function(chat, comment)
  local review = state.current
  if review and review.chat == chat then
    table.insert(review.steps, { kind = "comment", comment = comment, files = {} })
  end
end

editor.changed = function(chat)
  local review = state.current
  if review and review.chat == chat then
    review.view.draw_comments(review)
    list.draw(review)
  end
end

---@param path string
---@param side "left"|"right"
---@param range integer[]
---@param code string[]
---@return codex-chat.Comment
local function new_comment(path, side, range, code)
  return {
    id = store.new_id(),
    path = path,
    side = side,
    first = range[1],
    last = range[2],
    code = code,
    text = "",
  }
end

--- Writes a comment on the lines of a range, on the hunk or line under the cursor, or on the file under
--- the list's; one that is there already is edited.
---@param range? integer[]
function M.comment(range)
  local review = here()
  if not review or not review.showing then
    return
  end
  local chat = review.chat
  draw.sync_all(chat)
  store.load(chat, function(err)
    if err then
      say.error(err)
      return
    end
    if api.nvim_get_current_win() == review.list then
      local file = list.file_here(review)
      if file then
        local old = vim.tbl_filter(function(comment)
          return comment.first == 0
        end, store.of(chat, file.path))[1]
        editor.open(chat, old or new_comment(file.path, "right", { 0, 0 }, {}))
      end
      return
    end
    local at = review.view.lines_at(review, range)
    if not at then
      say.info("there is no line of a file here.")
      return
    end
    local old = vim.tbl_filter(function(comment)
      return comment.side == at.side and comment.first <= at.last and comment.last >= at.last
    end, store.of(chat, at.path))[1]
    editor.open(chat, old or new_comment(at.path, at.side, { at.first, at.last }, at.code))
  end)
end

--- Shows the keys.
function M.help()
  require("codex-chat.ui.page").show(keys.lines(), "review/keys")
end

return M
