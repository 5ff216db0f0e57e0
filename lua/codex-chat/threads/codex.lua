--- What Codex itself has of conversations: told where it runs, noted for later where it does not.
local M = {}

local registry = require("codex-chat.registry")

--- Tells Codex about the thread, where it is running: in the conversation's own project, through
--- whichever conversation is open there.
---@param it codex-chat.ThreadSummary
---@param name codex-chat.ActionName
---@param params table
---@param done fun(answer: codex-chat.Told)
function M.tell(it, name, params, done)
  local through
  for _, chat in ipairs(it.thread and registry.all() or {}) do
    if chat.root == it.root and chat.host == "attached" then
      through = chat
    end
  end
  if not through then
    done({ told = false })
    return
  end
  params.thread = it.thread
  require("codex-chat.host.request").run(through, name, params, function(answer, err)
    done(answer or { told = false, reason = err })
  end)
end

--- Has Codex forget the thread when it next runs in the project: src/session/delete-threads.ts reads it.
---@param it codex-chat.ThreadSummary
---@return string? note what was not done
function M.note_to_forget(it)
  if not it.thread or not it.root or not it.thread:find("^%x[%x-]+%x$") or #it.thread ~= 36 then
    return nil
  end
  local dir = require("codex-chat.project").at(it.root).dir
  if not vim.uv.fs_stat(it.root) then
    return ("what Codex keeps of it stays in %s, because its project is gone"):format(
      vim.fn.fnamemodify(dir .. "/codex-home", ":~")
    )
  end
  local ok, err =
    require("codex-chat.buffer.document").write(dir .. "/forget/" .. it.thread, { "" })
  return ok and "Codex forgets it when it next runs in this project"
    or ("Codex still remembers it: %s"):format(err)
end

return M
