--- What a review shows, from the host: which files changed, and what they held before.
local M = {}

local request = require("codex-chat.host.request")
local text = require("codex-chat.review.text")

---@param chat codex-chat.Chat
---@param file codex-chat.ChangedFile
---@return codex-chat.ReviewFile
local function entry(chat, file)
  return {
    path = file.path,
    name = text.relative(file.path, chat.root),
    old = file.old,
    change = file.change,
    added = file.added,
    removed = file.removed,
    group = file.ignored and "ignored" or "files",
  }
end

local order = { files = 1, ignored = 2, unknown = 3 }

--- The files of an answer to `changes/list`: the project's own first.
---@param chat codex-chat.Chat
---@param changes codex-chat.Changes
---@return codex-chat.ReviewFile[]
function M.of(chat, changes)
  local files = {}
  for _, file in ipairs(changes.files) do
    files[#files + 1] = entry(chat, file)
  end
  for _, path in ipairs(changes.unknown) do
    local name = text.relative(path, chat.root)
    files[#files + 1] = { path = path, name = name, change = "unknown", group = "unknown" }
  end
  table.sort(files, function(a, b)
    if a.group ~= b.group then
      return order[a.group] < order[b.group]
    end
    return a.path < b.path
  end)
  return files
end

--- Asks which files changed.
---@param chat codex-chat.Chat
---@param ask table
---@param callback fun(changes: codex-chat.Changes?, err: string?)
function M.list(chat, ask, callback)
  request.run(chat, "changes/list", ask, callback)
end

--- Reads what a file held before: `bytes` is nil where it was not there, and with `err` where it cannot be
--- shown.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@param callback fun(bytes: string?, err: string?)
function M.before(review, file, callback)
  if file.change == "conflict" then
    if not file.wanted then
      callback(nil, nil)
      return
    end
    callback(text.read(file.wanted))
    return
  elseif file.change == "created" or file.change == "unknown" then
    callback(nil, nil)
    return
  end
  local params = { left = review.left, path = file.old or file.path }
  request.run(review.chat, "changes/file", params, function(found, err)
    if err or not found.content then
      callback(nil, err)
      return
    end
    callback(text.read(found.content))
  end)
end

return M
