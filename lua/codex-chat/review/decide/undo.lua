--- Undoes the last decision of a review.
local M = {}

local decide = require("codex-chat.review.decide")
local list = require("codex-chat.review.list")
local request = require("codex-chat.host.request")
local say = require("codex-chat.message")
local store = require("codex-chat.review.comments.store")
local text = require("codex-chat.review.text")

local api = vim.api

--- Undoes lines that were put back, unless the user has changed the buffer since.
---@param step table
---@return boolean
local function undo_lines(step)
  if not api.nvim_buf_is_loaded(step.buf) or vim.fn.undotree(step.buf).seq_cur ~= step.after then
    say.error("the buffer has changed since; `u` there undoes step by step.")
    return false
  end
  api.nvim_buf_call(step.buf, function()
    vim.cmd(("silent undo %d"):format(step.before))
  end)
  local ok, err = true, nil
  if step.saves then
    ok, err = text.write(step.buf)
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
      local function answered(it, err)
        if err then
          say.error(err)
          done()
          return
        end
        review.left = it.left or review.left
        over()
      end
      request.run(review.chat, name, {}, decide.guarded(done, answered))
    end
  end)
end

return M
