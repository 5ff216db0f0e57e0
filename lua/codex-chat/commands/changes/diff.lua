--- `:CodexChat diff` and the words of `:CodexChat review` that decide on changes.
local M = {}

local say = require("codex-chat.message")

local api = vim.api

M.words = { "all", "inline", "quickfix", "conflicts", "close" }

--- Since when: the words' answer, else the cursor's in the chat.
---@param chat codex-chat.Chat
---@param words string[]
---@return table? ask parameters of `changes/list`
local function since(chat, words)
  local word = words[1]
  if word == nil then
    if api.nvim_get_current_buf() == chat.buf then
      local row = api.nvim_win_get_cursor(0)[1] - 1
      if row < require("codex-chat.buffer.blocks").prompt_row(chat) then
        return { since = "turn", row = row }
      end
    end
    return { since = "turn" }
  elseif #words == 1 and word == "all" then
    return { since = "all" }
  elseif #words == 1 and word:find("^[1-9]%d*$") then
    return { since = tonumber(word) }
  end
end

--- `:CodexChat diff [inline|quickfix] [N|all]`, `:CodexChat diff conflicts|close`
---@param chat codex-chat.Chat
---@param rest string
function M.run(chat, rest)
  local words = vim.split(rest, "%s+", { trimempty = true })
  local how = words[1]
  if how == "close" then
    require("codex-chat.review").close()
    return
  elseif how == "conflicts" then
    require("codex-chat.review").open_conflicts(chat, require("codex-chat.review.conflicts").last)
    return
  elseif how == "inline" or how == "quickfix" then
    table.remove(words, 1)
  else
    how = nil
  end
  local ask = since(chat, words)
  if not ask then
    say.error("`:CodexChat diff` takes inline or quickfix, then a turn's number or all.")
  elseif how == "quickfix" then
    require("codex-chat.review.quickfix").open(chat, ask)
  else
    require("codex-chat.review").open(chat, ask, how == "inline")
  end
end

--- The words of `:CodexChat review` that are ours and not Codex's.
M.decisions = { "accept", "reject", "comment", "send", "undo" }

--- Sends the comments, and shows the conversation.
---@param chat codex-chat.Chat
local function send(chat)
  require("codex-chat.review.send").send(chat, function()
    require("codex-chat.review").close()
    require("codex-chat.chat").show(chat, { insert = false })
  end)
end

--- Runs a decision; false if the words are not one.
---@param rest string
---@param range? integer[]
---@return boolean
function M.decide(rest, range)
  local word, which = rest:match("^(%a+)%s*(%a*)$")
  if
    not vim.list_contains(M.decisions, word)
    or not vim.list_contains({ "", "file", "all" }, which)
    or (which ~= "" and word ~= "accept" and word ~= "reject")
  then
    return false
  end
  local review = require("codex-chat.review")
  if word == "comment" then
    review.comment(range)
  elseif word == "undo" then
    review.undo()
  elseif word == "send" then
    local current = require("codex-chat.review.state").current
    local chat = current and current.chat or require("codex-chat.project").current_chat()
    if chat then
      send(chat)
    else
      say.info("no conversation is open. :CodexChat opens one.")
    end
  else
    review.decide(word --[[@as any]], which ~= "" and which or nil, range)
  end
  return true
end

--- The lines of the visual selection, which ends.
---@return integer[]?
local function selected()
  if not vim.fn.mode():match("^[vV\22]") then
    return nil
  end
  local from, to = vim.fn.line("v"), vim.fn.line(".")
  vim.cmd("normal! \27")
  return { math.min(from, to), math.max(from, to) }
end

--- Runs a `<Plug>(codex-chat-review-…)` mapping.
---@param action string
function M.plug(action)
  if require("codex-chat.review.patch").act(action) then
    return
  end
  local review = require("codex-chat.review")
  local run = {
    next = function()
      review.go(1)
    end,
    prev = function()
      review.go(-1)
    end,
    open = review.open_file,
    close = review.close,
    help = review.help,
    ["accept-file"] = function()
      review.decide("accept", "file")
    end,
    ["reject-file"] = function()
      review.decide("reject", "file")
    end,
  }
  if run[action] then
    run[action]()
  else
    M.decide(action, selected())
  end
end

return M
