--- `:CodexChat undo` and `redo`: takes Codex's changes to the project's files back, and brings them back.
local M = {}

local action = require("codex-chat.host.request")
local say = require("codex-chat.message")

local api = vim.api

local alone, since = "That turn alone", "That turn and all since"

--- Whether a query begins in one of the rows.
---@param buf integer
---@param first integer
---@param stop integer exclusive
---@return boolean
local function has_query(buf, first, stop)
  local lines = api.nvim_buf_get_lines(buf, first, math.max(first, stop), false)
  return vim.iter(lines):any(function(line)
    return require("codex-chat.format").role_of(line) == "user"
  end)
end

--- The row of the cursor, if it is at an earlier turn than the last; above the first one, it is at none.
---@param chat codex-chat.Chat
---@return integer? row 0-based
local function earlier_row(chat)
  local buf = chat.buf
  if api.nvim_get_current_buf() ~= buf then
    return nil
  end
  local row = api.nvim_win_get_cursor(0)[1] - 1
  local stop = require("codex-chat.buffer.blocks").prompt_row(chat)
  return has_query(buf, row + 1, stop) and has_query(buf, 0, row + 1) and row or nil
end

---@param done codex-chat.Undone
---@param verb string
local function report(done, verb)
  local count = #done.files
  local parts = { ("%s: %d file%s"):format(verb, count, count == 1 and "" or "s") }
  if #done.others > 0 then
    parts[#parts + 1] =
      "another conversation worked at the same time, and its changes are among them"
  end
  if #done.conflicts == 0 then
    say.info(table.concat(parts, "; ") .. ".")
    return
  end
  require("codex-chat.review.conflicts").show(done)
end

---@param chat codex-chat.Chat
---@param name codex-chat.ActionName
---@param params table
---@param verb string
---@param after? fun() called if it was done
local function run(chat, name, params, verb, after)
  action.run(chat, name, params, function(done, err)
    if err then
      say.error(err)
      return
    end
    report(done, verb)
    if after then
      after()
    end
  end)
end

--- `:CodexChat undo [turn | since]`
---@param chat codex-chat.Chat
---@param word string
function M.undo(chat, word)
  if word ~= "" and word ~= "turn" and word ~= "since" then
    say.error("`:CodexChat undo` takes `turn`, `since` or nothing.")
    return
  end
  local row = earlier_row(chat)
  local function undo(scope)
    run(chat, "changes/undo", { row = row, scope = scope }, "taken back")
  end
  if word ~= "" or not row then
    undo(word ~= "" and word or "turn")
    return
  end
  vim.ui.select({ alone, since }, {
    prompt = "Take back the changes of which turn?",
    kind = "codex-chat-undo",
  }, function(choice)
    if choice then
      undo(choice == alone and "turn" or "since")
    end
  end)
end

--- Takes back what Codex has changed since the turn at a row, that turn included.
---@param chat codex-chat.Chat
---@param row integer 0-based
---@param after? fun() called if it was done
function M.since(chat, row, after)
  run(chat, "changes/undo", { row = row, scope = "since" }, "taken back", after)
end

--- `:CodexChat redo`
---@param chat codex-chat.Chat
function M.redo(chat)
  run(chat, "changes/redo", {}, "brought back")
end

return M
