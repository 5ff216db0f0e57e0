--- `:CodexChat[!] search`: every line of all conversations that has a text, as a quickfix list.
local M = {}

local say = require("codex-chat.message")

---@param text string
---@param answer { hits: { path: string, line: integer, column: integer, text: string }[], problems: string[], is_cut: boolean }
local function show(text, answer)
  local items = vim.tbl_map(function(hit)
    return { filename = hit.path, lnum = hit.line, col = hit.column, text = hit.text }
  end, answer.hits)
  local title = "Conversations with: " .. text
  if answer.is_cut then
    title = ("%s (the first %d lines)"):format(title, #items)
  end
  vim.fn.setqflist({}, " ", { title = title, items = items })
  if #answer.problems > 0 then
    say.warn(table.concat(answer.problems, "; "))
  end
  if #items == 0 then
    say.info(("no conversation has “%s”."):format(text))
  else
    -- Filling the list and opening its window take most of a frame each.
    vim.schedule(function()
      require("codex-chat.outside.runtime").without_projects("qf", function()
        vim.cmd("botright copen")
      end)
    end)
  end
end

--- Looks for `text` in all conversations of the project, the archived ones too.
---@param text string
---@param all boolean of all projects
function M.run(text, all)
  if text == "" then
    vim.ui.input({ prompt = "Search all conversations for: " }, function(words)
      say.clear_line()
      if vim.trim(words or "") ~= "" then
        M.run(vim.trim(words), all)
      end
    end)
    return
  end
  require("codex-chat.threads.client").search(text, all, function(answer)
    show(text, answer)
  end, say.error)
end

return M
