--- Resolves mentions of diagnostics, of the quickfix list and of the clipboard.
local M = {}

local part = require("codex-chat.context.part")

local api = vim.api

local severities = { "error", "warning", "info", "hint" }

--- Diagnostics as lines like `src/a.ts:3:7: error: message [source]`, sorted by position.
---@param found vim.Diagnostic[]
---@param root string
---@return string[]
function M.diagnostic_lines(found, root)
  local list = {}
  for _, diagnostic in ipairs(found) do
    list[#list + 1] = {
      diagnostic = diagnostic,
      name = part.relative(api.nvim_buf_get_name(diagnostic.bufnr), root),
    }
  end
  table.sort(list, function(a, b)
    if a.name ~= b.name then
      return a.name < b.name
    end
    if a.diagnostic.lnum ~= b.diagnostic.lnum then
      return a.diagnostic.lnum < b.diagnostic.lnum
    end
    return a.diagnostic.col < b.diagnostic.col
  end)
  return vim.tbl_map(function(entry)
    local diagnostic = entry.diagnostic
    return ("%s:%d:%d: %s: %s%s"):format(
      entry.name == "" and "(unnamed)" or entry.name,
      diagnostic.lnum + 1,
      diagnostic.col + 1,
      severities[diagnostic.severity] or "note",
      require("codex-chat.context.bounds").joined(diagnostic.message, " "),
      diagnostic.source and (" [%s]"):format(diagnostic.source) or ""
    )
  end, list)
end

---@param buf integer? nil for all of the project
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.of_diagnostics(buf, root)
  local found = vim.tbl_filter(function(diagnostic)
    local name = api.nvim_buf_is_valid(diagnostic.bufnr) and api.nvim_buf_get_name(diagnostic.bufnr)
    if buf ~= nil or not name or name == "" then
      return buf ~= nil
    end
    -- SECURITY: its text may have been read through a link at that time.
    return part.relative(name, root):sub(1, 1) ~= "/"
      and require("codex-chat.context.paths").was_inside(diagnostic.bufnr, root)
  end, vim.diagnostic.get(buf))
  if #found == 0 then
    return nil, "there are no diagnostics"
  end
  local label = ("%d diagnostic%s"):format(#found, #found == 1 and "" or "s")
  return part.of_lines(label, "Diagnostics of the editor", M.diagnostic_lines(found, root))
end

---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.of_quickfix(root)
  local lines = {}
  for _, item in ipairs(vim.fn.getqflist()) do
    local name = item.bufnr > 0 and part.relative(api.nvim_buf_get_name(item.bufnr), root) or ""
    lines[#lines + 1] = ("%s:%d:%d: %s"):format(
      name,
      item.lnum,
      item.col,
      (item.text:gsub("\n", " "))
    )
  end
  if #lines == 0 then
    return nil, "the quickfix list is empty"
  end
  local label = ("%d quickfix entr%s"):format(#lines, #lines == 1 and "y" or "ies")
  return part.of_lines(label, "The editor's quickfix list", lines)
end

---@return codex-chat.ContextPart?
---@return string? err
function M.of_clipboard()
  local text = require("codex-chat.outside.programs").paste()
  if not text or not text:find("%S") then
    return nil, "there is no text on the clipboard"
  end
  local lines = vim.split((text:gsub("\n$", "")), "\n", { plain = true })
  return part.of_lines("the clipboard", "Text from the clipboard", lines)
end

return M
