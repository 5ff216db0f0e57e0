--- The hunks of a review as a quickfix list, and reading both sides of many files.
local M = {}

local files = require("codex-chat.review.files")
local hunks = require("codex-chat.review.hunks")
local list = require("codex-chat.review.list")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local text = require("codex-chat.review.text")

local api = vim.api

--- More files are named, and not read.
M.max_files = 300

--- The present lines of a file, from its buffer where it is loaded; nil if it is no text.
---@param path string
---@return string[]?
local function now(path)
  local buf = registry.find_name(path)
  if buf and api.nvim_buf_is_loaded(buf) then
    local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
    return #lines == 1 and lines[1] == "" and {} or lines
  end
  if not vim.uv.fs_lstat(path) then
    return {}
  end
  local bytes = require("codex-chat.disk.look").read(path, text.max_bytes)
  return bytes and not text.is_binary(bytes) and text.lines(bytes, text.form_of()) or nil
end

--- Calls `callback` with the lines of both sides; with nothing for a file that is no text.
---@param review { chat: codex-chat.Chat, left: string }
---@param file codex-chat.ReviewFile
---@param callback fun(before?: string[], after?: string[])
function M.both(review, file, callback)
  if file.change == "unknown" then
    callback()
    return
  end
  files.before(review, file, function(bytes, err)
    local after = not err and now(file.path)
    if not after or (bytes and text.is_binary(bytes)) then
      callback()
      return
    end
    local form = text.form_of(registry.find_name(file.path))
    callback(bytes and text.lines(bytes, form) or {}, after)
  end)
end

--- Does that for file after file.
---@param review { chat: codex-chat.Chat, left: string, files: codex-chat.ReviewFile[] }
---@param each fun(file: codex-chat.ReviewFile, before?: string[], after?: string[])
---@param done fun()
function M.all(review, each, done)
  local i = 0
  local function step()
    i = i + 1
    local file = review.files[i]
    if not file then
      done()
    elseif i > M.max_files then
      each(file)
      step()
    else
      M.both(review, file, function(before, after)
        each(file, before, after)
        step()
      end)
    end
  end
  step()
end

--- The first line of a hunk that is not empty, for an entry's text.
---@param hunk codex-chat.LineHunk
---@param before string[]
---@param after string[]
---@return string
local function excerpt(hunk, before, after)
  local lines, side = after, hunk.right
  if side[2] == 0 then
    lines, side = before, hunk.left
  end
  for i = side[1], side[1] + side[2] - 1 do
    local line = vim.trim((lines[i] or ""):gsub("%c", " "))
    if line ~= "" then
      return line
    end
  end
  return ""
end

---@param file codex-chat.ReviewFile
---@param before? string[]
---@param after? string[]
---@param items table[]
local function add(file, before, after, items)
  local function entry(lnum, words, last)
    items[#items + 1] = {
      filename = file.path,
      module = file.name,
      lnum = lnum,
      end_lnum = last,
      text = words,
    }
  end
  local found = before and hunks.diff(before, after) or {}
  if #found == 0 or file.change == "deleted" then
    entry(1, list.kinds[file.change][3])
    return
  end
  for _, hunk in ipairs(found) do
    local first = math.max(hunk.right[1], 1)
    local last = hunk.right[2] > 0 and first + hunk.right[2] - 1 or first
    entry(
      first,
      ("+%d -%d  %s"):format(hunk.right[2], hunk.left[2], excerpt(hunk, before, after)),
      last
    )
  end
end

--- Puts the hunks into a new quickfix list.
---@param chat codex-chat.Chat
---@param ask table parameters of `changes/list`
function M.open(chat, ask)
  files.list(chat, ask, function(changes, err)
    if err then
      say.error(err)
      return
    end
    local review = { chat = chat, left = changes.left, files = files.of(chat, changes) }
    local items = {}
    M.all(review, function(file, before, after)
      add(file, before, after, items)
    end, function()
      if #items == 0 then
        say.info("there is nothing to review: Codex has made no change that you have not accepted.")
        return
      end
      -- SECURITY: names and lines are the agent's; they become list entries only.
      vim.fn.setqflist({}, " ", { title = "Codex's changes " .. changes.title, items = items })
      say.info(
        ("%d change%s in the quickfix list (:copen)."):format(#items, #items == 1 and "" or "s")
      )
    end)
  end)
end

return M
