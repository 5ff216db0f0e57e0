--- The pictures of a conversation, which lie in `images/` beside it and are named after it.
local M = {}

local change = require("codex-chat.disk.change")
local look = require("codex-chat.disk.look")

--- The largest picture that src/session/document/images.ts keeps.
local max_bytes = 32 * 1024 * 1024

--- The pictures' names, as src/session/document/images.ts gives them.
---@param dir string where the conversation lies
---@param path string the conversation
---@return string[]
local function names(dir, path)
  local stem = vim.fs.basename(path):gsub("%.md$", ""):gsub("[^%w_-]", "-")
  local found = {}
  for _, entry in ipairs(look.list(dir .. "/images") or {}) do
    local name = entry.name
    local is_ours = name:sub(1, #stem) == stem and name:find("^%-%d+%.%a+$", #stem + 1)
    if entry.type == "file" and is_ours then
      found[#found + 1] = name
    end
  end
  return found
end

--- Has the pictures beside the conversation's new place too, where its text looks for them. They
--- stay in the old one: what was forked from it shows them as well.
---@param path string where the conversation was
---@param to string the directory where it is now
function M.bring(path, to)
  local from = vim.fs.dirname(path)
  for _, name in ipairs(names(from, path)) do
    change.copy(from .. "/images/" .. name, to .. "/images/" .. name, max_bytes)
  end
end

--- Removes the pictures, unless a fork of the conversation shows them too.
---@param path string
function M.remove(path)
  local dir = vim.fs.dirname(path)
  local top = vim.fs.basename(dir) == "archive" and vim.fs.dirname(dir) or dir
  local stem = vim.fs.basename(path):gsub("%.md$", "")
  for _, place in ipairs({ top, top .. "/archive" }) do
    for _, entry in ipairs(look.list(place) or {}) do
      if vim.startswith(entry.name, stem .. "-fork") then
        return
      end
    end
  end
  for _, place in ipairs({ top, top .. "/archive" }) do
    for _, name in ipairs(names(place, path)) do
      change.unlink(place .. "/images/" .. name)
    end
  end
end

return M
