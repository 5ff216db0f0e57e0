--- Files that an undo left as they were, because they have changed since: a quickfix list with both
--- versions of each.
local M = {}

local text = require("codex-chat.review.text")

local api = vim.api

--- Those of the last undo, for `:CodexChat diff conflicts`.
---@type codex-chat.RestoreConflict[]
M.last = {}

---@type table<string, integer> buffers with a version that was to come back, by the file's path
local shown = {}

--- A read-only buffer with the content that a file was to get.
---@param conflict codex-chat.RestoreConflict
---@param root string
---@return integer? buf nil if it cannot be shown: it is deleted or no text, or too large
function M.wanted(conflict, root)
  local bytes = conflict.wanted and text.read(conflict.wanted)
  if not bytes or text.is_binary(bytes) then
    return nil
  end
  local before = shown[conflict.path]
  if before and api.nvim_buf_is_valid(before) then
    api.nvim_buf_delete(before, { force = true })
  end
  local of = require("codex-chat.registry").find_name(conflict.path)
  local lines = text.lines(bytes, text.form_of(of))
  local name = "wanted/" .. text.relative(conflict.path, root)
  local buf = text.scratch(name, lines, text.filetype(conflict.path, lines))
  shown[conflict.path] = buf
  return buf
end

--- Puts the conflicts into a new quickfix list: each file as it is, and below it the version that was to
--- come back. Without conflicts the list stays as it is.
--- SECURITY: paths and reasons become list entries only.
---@param undone codex-chat.Undone
---@return integer count of conflicts
function M.show(undone)
  local conflicts = undone.conflicts or {}
  if #conflicts == 0 then
    return 0
  end
  M.last = conflicts
  local chat = require("codex-chat.project").current_chat()
  local root = chat and chat.root or vim.uv.cwd()
  local items = {}
  for _, conflict in ipairs(conflicts) do
    items[#items + 1] = { filename = conflict.path, lnum = 1, text = conflict.why, type = "W" }
    local buf = M.wanted(conflict, root)
    if buf then
      items[#items + 1] = { bufnr = buf, lnum = 1, text = "the version that was to be restored" }
    end
  end
  vim.fn.setqflist({}, " ", { title = "Left as they were", items = items })
  require("codex-chat.message").warn(
    ("%d file%s changed since and stayed as %s: both versions are in the quickfix list (:copen)."):format(
      #conflicts,
      #conflicts == 1 and "" or "s",
      #conflicts == 1 and "it was" or "they were"
    )
  )
  return #conflicts
end

return M
