--- Accepts and puts back: a hunk, lines, a file or everything.
---
--- Decisions run one after the other, each on what the one before has left, however fast the keys come.
local M = {}

local list = require("codex-chat.review.list")
local request = require("codex-chat.host.request")
local say = require("codex-chat.message")
local state = require("codex-chat.review.state")
local text = require("codex-chat.review.text")

local api = vim.api

--- Called after something was accepted or put back, or that was undone.
---@type fun(review: codex-chat.Review, is_undone: boolean)
M.decided = function() end

--- A callback that ends its decision if it fails, so that the next one can run.
---@param done fun()
---@param fn function
---@return function
function M.guarded(done, fn)
  return function(...)
    local ok, err = pcall(fn, ...)
    if not ok then
      done()
      error(err, 0)
    end
  end
end

--- Runs a decision when those before it are done.
---@param review codex-chat.Review
---@param run fun(done: fun())
function M.enqueue(review, run)
  local function next_one()
    local first = review.queue[1]
    if not first then
      return
    end
    local function done()
      if review.queue[1] == first then
        table.remove(review.queue, 1)
        if state.current == review then
          next_one()
        end
      end
    end
    M.guarded(done, first)(done)
  end
  review.queue[#review.queue + 1] = run
  if #review.queue == 1 then
    next_one()
  end
end

--- Goes on to what is left to decide: in this file from a line on, else in the next one.
---@param review codex-chat.Review
---@param found codex-chat.LineHunk[]
---@param line integer
---@param done fun()
local function go_on(review, found, line, done)
  for _, hunk in ipairs(found) do
    if hunk.right[1] + math.max(hunk.right[2], 1) > line then
      review.view.go_to(review, math.max(hunk.right[1], 1))
      done()
      return
    end
  end
  if #found > 0 then
    review.view.go_to(review, math.max(found[1].right[1], 1))
    done()
    return
  end
  local next_file = state.next_open(review)
  if next_file then
    review.view.show(review, next_file, "first", done)
  else
    say.info("nothing is left to decide. q closes the review.")
    done()
  end
end

--- The bytes on disk of a file whose buffer shows exactly them; nil after a message.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@return string?
local function saved_bytes(review, file)
  local buf = review.right_buf --[[@as integer]]
  if vim.bo[buf].modified then
    say.error(("%s has unsaved changes: `:w` saves them, then accept again."):format(file.name))
    return nil
  end
  local bytes, err = require("codex-chat.disk.look").read(file.path, text.max_bytes)
  if not bytes then
    say.error(("nothing was accepted. %s."):format(err))
  elseif
    not vim.deep_equal(text.lines(bytes, text.form_of(buf)), review.view.right_lines(review))
  then
    say.error(("%s has changed on disk: `:checktime` reads it, then look again."):format(file.name))
  else
    return bytes
  end
end

---@param review codex-chat.Review
---@param files table[] of `changes/accept`
---@param done fun()
---@param after fun()
local function accept(review, files, done, after)
  request.run(
    review.chat,
    "changes/accept",
    { left = review.left, files = files },
    function(answer, err)
      if err then
        say.error(err)
        done()
        return
      end
      review.left = answer.left
      after()
      M.decided(review, false)
    end
  )
end

---@param review codex-chat.Review
---@param step table
local function remember(review, step)
  review.steps[#review.steps + 1] = step
end

--- Whether single lines of a file can be decided on; else only the file as a whole can.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@return boolean
local function has_lines(review, file)
  return state.has_pair(review)
    and file.change == "changed"
    -- The end of the last line alone, or the kind of line ends, is no line.
    and #review.view.hunks(review) > 0
end

---@param review codex-chat.Review
---@return boolean
local function is_conflict(review)
  if review.files[1] and review.files[1].change == "conflict" then
    say.info("take what you want with `do`; there is nothing to accept here.")
    return true
  end
  return false
end

--- Whether a file is decided; then it says so. Deciding again would be a step whose undo brings back too
--- much.
---@param file codex-chat.ReviewFile
---@return boolean
local function is_decided(file)
  if file.done then
    say.info(("%s is decided; gz undoes the last decision."):format(file.name))
  end
  return file.done ~= nil
end

--- Decides on the changed lines under the cursor, or in a range; where lines cannot be decided on, on the
--- whole file.
---@param review codex-chat.Review
---@param range? integer[]
---@param on_file fun(review: codex-chat.Review, files: codex-chat.ReviewFile[], done: fun())
---@param on_lines fun(file: codex-chat.ReviewFile, some: codex-chat.LineHunk[], done: fun())
local function decide(review, range, on_file, on_lines)
  M.enqueue(review, function(done)
    local file = review.view.file(review)
    if is_conflict(review) then
      done()
      return
    end
    if not has_lines(review, file) then
      if is_decided(file) then
        done()
      else
        on_file(review, { file }, done)
      end
      return
    end
    local some = review.view.chosen(review, range)
    if #some == 0 then
      say.info("there is no change here; ]c goes to the next one.")
      done()
      return
    end
    on_lines(file, some, done)
  end)
end

--- Some lines were decided on: looks at what is left of the file, and goes on.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@param how "accepted"|"rejected"
---@param line integer
---@param done fun()
local function lines_decided(review, file, how, line, done)
  review.view.refresh(review, function(found)
    if #found == 0 then
      file.done = how
      review.view.count(review, file)
      list.draw(review)
    end
    if how == "rejected" then
      M.decided(review, false)
    end
    go_on(review, found, line, done)
  end)
end

--- Accepts the hunk under the cursor, or the changed lines in a range.
---@param review codex-chat.Review
---@param range? integer[]
function M.accept(review, range)
  decide(review, range, M.accept_files, function(file, some, done)
    local bytes = saved_bytes(review, file)
    if not bytes then
      done()
      return
    end
    local line = some[1].right[1]
    local entry = { path = file.path, hunks = some, sha256 = vim.fn.sha256(bytes) }
    accept(review, { entry }, done, function()
      remember(review, { kind = "accept", files = { file }, line = line })
      lines_decided(review, file, "accepted", line, done)
    end)
  end)
end

--- Whether a file has unsaved changes; then it says what to do about them.
---@param file codex-chat.ReviewFile
---@param advice string
---@return boolean
local function is_unsaved(file, advice)
  local buf = require("codex-chat.registry").find_name(file.path)
  local is_modified = buf and api.nvim_buf_is_loaded(buf) and vim.bo[buf].modified
  if is_modified then
    say.error(("%s has unsaved changes: %s"):format(file.name, advice))
  end
  return is_modified or false
end

--- Accepts whole files.
---@param review codex-chat.Review
---@param files codex-chat.ReviewFile[]
---@param done fun()
function M.accept_files(review, files, done)
  local paths = {}
  for _, file in ipairs(files) do
    if is_unsaved(file, "`:w` saves them, then accept again.") then
      done()
      return
    end
    paths[#paths + 1] = { path = file.path }
  end
  accept(review, paths, done, function()
    remember(review, { kind = "accept", files = files })
    for _, file in ipairs(files) do
      file.done = "accepted"
    end
    list.draw(review)
    go_on(review, {}, 0, done)
  end)
end

--- Puts lines back as they were, as one undo step of the buffer; false after a message.
---@param review codex-chat.Review
---@param some codex-chat.LineHunk[]
---@return boolean
local function put_back(review, some)
  local buf = review.right_buf --[[@as integer]]
  if not vim.bo[buf].modifiable or vim.bo[buf].readonly then
    say.error("the buffer cannot be changed ('nomodifiable' or 'readonly').")
    return false
  end
  local was_modified = vim.bo[buf].modified
  local before, lines_before = vim.fn.undotree(buf).seq_cur, review.view.right_lines(review)
  for i = #some, 1, -1 do
    local hunk = some[i]
    local first = hunk.right[2] == 0 and hunk.right[1] or hunk.right[1] - 1
    local lines = vim.list_slice(review.before, hunk.left[1], hunk.left[1] + hunk.left[2] - 1)
    api.nvim_buf_set_lines(buf, first, first + hunk.right[2], false, lines)
  end
  local ok, err = true, nil
  if not was_modified then
    ok, err = text.write(buf)
  end
  if not ok then
    say.error(("the lines are back in the buffer, but it was not written. %s"):format(err))
  end
  remember(review, {
    kind = "lines",
    files = { review.showing },
    buf = buf,
    before = before,
    after = vim.fn.undotree(buf).seq_cur,
    lines_before = lines_before,
    lines_after = review.view.right_lines(review),
    saves = not was_modified,
    line = some[1].right[1],
  })
  return true
end

--- Puts the hunk under the cursor back as it was, or the changed lines in a range.
---@param review codex-chat.Review
---@param range? integer[]
function M.reject(review, range)
  decide(review, range, M.reject_files, function(file, some, done)
    local line = some[1].right[1]
    if put_back(review, some) then
      lines_decided(review, file, "rejected", line, done)
    else
      done()
    end
  end)
end

--- Puts whole files back as they were.
---@param review codex-chat.Review
---@param files codex-chat.ReviewFile[]
---@param done fun()
function M.reject_files(review, files, done)
  local paths = {}
  for _, file in ipairs(files) do
    if is_unsaved(file, "save or undo them first.") then
      done()
      return
    end
    paths[#paths + 1] = file.path
  end
  local params = { left = review.left, paths = paths }
  local function answered(undone, err)
    if err then
      say.error(err)
      done()
      return
    end
    local left = {}
    for _, conflict in ipairs(undone.conflicts) do
      left[conflict.path] = true
    end
    require("codex-chat.reload").reload(paths)
    require("codex-chat.review.conflicts").show(undone)
    remember(review, { kind = "files", files = files })
    for _, file in ipairs(files) do
      file.done = not left[file.path] and "rejected" or nil
    end
    M.decided(review, false)
    list.draw(review)
    go_on(review, {}, 0, done)
  end
  request.run(review.chat, "changes/reject", params, M.guarded(done, answered))
end

---@param review codex-chat.Review
---@return codex-chat.ReviewFile[]
local function undecided(review)
  return vim.tbl_filter(function(file)
    return not file.done
  end, review.files)
end

--- Accepts or puts back files: the one that is shown or that the list's cursor is on, or all.
---@param review codex-chat.Review
---@param what "accept"|"reject"
---@param which "file"|"all"
function M.files(review, what, which)
  M.enqueue(review, function(done)
    local files = which == "all" and undecided(review) or { M.file_here(review) or review.showing }
    if #files == 0 or is_conflict(review) or (which == "file" and is_decided(files[1])) then
      done()
    elseif what == "accept" then
      M.accept_files(review, files, done)
    else
      M.reject_files(review, files, done)
    end
  end)
end

--- The file that the cursor is on: in the list, or in a window that shows several.
---@param review codex-chat.Review
---@return codex-chat.ReviewFile?
function M.file_here(review)
  if api.nvim_get_current_win() == review.list then
    return list.file_here(review)
  end
  return review.view.file(review)
end

return M
