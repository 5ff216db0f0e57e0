--- The editor's diagnostics and its quickfix list.
local M = {}

local bounds = require("codex-chat.context.bounds")
local paths = require("codex-chat.context.paths")

---@param root string
---@param args { path?: string }
---@return string?
---@return string? err
function M.diagnostics(root, args)
  local only, err
  if args.path ~= nil then
    only, err = paths.find(root, args.path)
    if not only then
      return nil, err
    end
  end
  local found = vim.tbl_filter(function(diagnostic)
    return paths.of_buf(diagnostic.bufnr, root) ~= nil
  end, vim.diagnostic.get(only))
  if #found == 0 then
    return "There are no diagnostics."
  end
  local lines = require("codex-chat.context.listing").diagnostic_lines(found, root)
  return bounds.join(vim.tbl_map(bounds.line, lines))
end

--- The quickfix list, without entries that have no file or a file outside the project: the list may
--- hold anything that the user has searched for.
---@param root string
---@return string
function M.quickfix(root)
  local lines, names = {}, {}
  for _, item in ipairs(vim.fn.getqflist()) do
    if item.bufnr > 0 and names[item.bufnr] == nil then
      names[item.bufnr] = paths.listed(item.bufnr, root) or false
    end
    if names[item.bufnr] then
      local place = ("%s:%d:%d: "):format(names[item.bufnr], item.lnum, item.col)
      lines[#lines + 1] = bounds.line(place .. item.text)
    end
  end
  return #lines > 0 and bounds.join(lines) or "The quickfix list has no entry of the project."
end

return M
