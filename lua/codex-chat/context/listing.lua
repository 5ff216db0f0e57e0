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
  for _, it in ipairs(found) do
    list[#list + 1] = { it = it, name = part.relative(api.nvim_buf_get_name(it.bufnr), root) }
  end
  table.sort(list, function(a, b)
    if a.name ~= b.name then
      return a.name < b.name
    end
    if a.it.lnum ~= b.it.lnum then
      return a.it.lnum < b.it.lnum
    end
    return a.it.col < b.it.col
  end)
  return vim.tbl_map(function(entry)
    local it = entry.it
    return ("%s:%d:%d: %s: %s%s"):format(
      entry.name == "" and "(unnamed)" or entry.name,
      it.lnum + 1,
      it.col + 1,
      severities[it.severity] or "note",
      require("codex-chat.context.bounds").joined(it.message, " "),
      it.source and (" [%s]"):format(it.source) or ""
    )
  end, list)
end

---@param buf integer? nil for all of the project
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.of_diagnostics(buf, root)
  local found = vim.tbl_filter(function(it)
    local name = api.nvim_buf_is_valid(it.bufnr) and api.nvim_buf_get_name(it.bufnr)
    if buf ~= nil or not name or name == "" then
      return buf ~= nil
    end
    -- SECURITY: its text may have been read through a link at that time.
    return part.relative(name, root):sub(1, 1) ~= "/"
      and require("codex-chat.context.paths").was_inside(it.bufnr, root)
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
  for _, it in ipairs(vim.fn.getqflist()) do
    local name = it.bufnr > 0 and part.relative(api.nvim_buf_get_name(it.bufnr), root) or ""
    lines[#lines + 1] = ("%s:%d:%d: %s"):format(name, it.lnum, it.col, (it.text:gsub("\n", " ")))
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
