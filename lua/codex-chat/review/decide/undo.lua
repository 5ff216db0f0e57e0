--- Undoes the last decision of a review.
local M = {}

local decide = require("codex-chat.review.decide")
local hunks = require("codex-chat.review.hunks")
local list = require("codex-chat.review.list")
local request = require("codex-chat.host.request")
local say = require("codex-chat.message")
local store = require("codex-chat.review.comments.store")
local text = require("codex-chat.review.text")

local api = vim.api

--- The lines of a buffer; none for an empty file.
---@param buf integer
---@return string[]
local function lines_of(buf)
  local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
  return #lines == 1 and lines[1] == "" and {} or lines
end

--- Undoes lines that were put back, unless the user has changed the buffer since. A file that was read
--- again meanwhile has another undo history, and may have the same lines.
---@param step table
---@return boolean
local function undo_lines(step)
  local buf = step.buf
  if not api.nvim_buf_is_valid(buf) then
    say.error("the file is not open any more.")
    return false
  elseif not api.nvim_buf_is_loaded(buf) then
    -- With 'nohidden' another file has taken its window.
    text.read_quietly(buf, vim.bo[buf].filetype, function()
      vim.fn.bufload(buf)
    end)
  end
  if vim.fn.undotree(buf).seq_cur == step.after then
    api.nvim_buf_call(buf, function()
      vim.cmd(("silent undo %d"):format(step.before))
    end)
  elseif vim.deep_equal(lines_of(buf), step.lines_after) then
    local found = hunks.diff(step.lines_before, step.lines_after)
    for i = #found, 1, -1 do
      local left, right = found[i].left, found[i].right
      local first = right[2] == 0 and right[1] or right[1] - 1
      local lines = vim.list_slice(step.lines_before, left[1], left[1] + left[2] - 1)
      api.nvim_buf_set_lines(buf, first, first + right[2], false, lines)
    end
  else
    say.error("the buffer has changed since; `u` there undoes step by step.")
    return false
  end
  local ok, err = true, nil
  if step.saves then
    ok, err = text.write(buf)
  end
  if not ok then
    say.error(("the buffer was not written. %s"):format(err))
  end
  return true
end

---@param review codex-chat.Review
---@param step table
---@param done fun()
local function undone(review, step, done)
  for _, file in ipairs(step.files) do
    file.done = nil
  end
  decide.decided(review, true)
  review.view.show(review, step.files[1], step.line or "first", done)
end

--- Undoes the last decision of this review, or brings the last deleted comment back.
---@param review codex-chat.Review
function M.last(review)
  decide.enqueue(review, function(done)
    local step = review.steps[#review.steps]
    if not step then
      say.info("there is nothing to undo in this review.")
      done()
      return
    end
    local function over()
      table.remove(review.steps)
      undone(review, step, done)
    end
    if step.kind == "comment" then
      table.remove(review.steps)
      store.put(review.chat, step.comment)
      review.view.draw_comments(review)
      list.draw(review)
      done()
    elseif step.kind == "lines" then
      if undo_lines(step) then
        over()
      else
        done()
      end
    else
      local name = step.kind == "accept" and "changes/unaccept" or "changes/redo"
      local function answered(answer, err)
        if err then
          say.error(err)
          done()
          return
        end
        review.left = answer.left or review.left
        require("codex-chat.reload").reload(vim.tbl_map(function(file)
          return file.path
        end, step.files))
        over()
      end
      request.run(review.chat, name, {}, decide.guarded(done, answered))
    end
  end)
end

return M
