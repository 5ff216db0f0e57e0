--- The tools about buffers: open files, their text, and the user's cursor.
local M = {}

local bounds = require("codex-chat.context.bounds")
local paths = require("codex-chat.context.paths")

local api = vim.api

---@param root string
---@return string
function M.open_buffers(root)
  local lines = {}
  for _, open in ipairs(paths.all(root)) do
    lines[#lines + 1] = ("%s (%d lines%s%s)"):format(
      bounds.line(open.name),
      api.nvim_buf_line_count(open.buf),
      vim.bo[open.buf].modified and ", with unsaved changes" or "",
      #vim.fn.win_findbuf(open.buf) > 0 and ", in view" or ""
    )
  end
  return #lines > 0 and bounds.join(lines) or "No file of the project is open."
end

---@param root string
---@param args { path?: string, first?: integer, last?: integer }
---@return string?
---@return string? err
function M.read_buffer(root, args)
  local buf, err = paths.find(root, args.path)
  local all, why = nil, err
  if buf then
    all, why = paths.lines(buf, root)
  end
  if not all then
    return nil, why
  end
  local first = bounds.count(args.first, 1)
  return bounds.join(bounds.lines(all, first, bounds.count(args.last, math.huge)))
end

--- The last selection, exact by characters if it was characterwise.
---@param buf integer
---@param all string[] its lines
---@return string[]
local function selection(buf, all)
  local from, to = api.nvim_buf_get_mark(buf, "<"), api.nvim_buf_get_mark(buf, ">")
  if from[1] == 0 or to[1] == 0 or from[1] > #all then
    return {}
  end
  local head = from[1] == to[1] and ("Selected last, in line %d:"):format(from[1])
    or ("Selected last, in lines %d to %d:"):format(from[1], to[1])
  local lines = bounds.lines(all, from[1], to[1])
  local mode = api.nvim_buf_call(buf, vim.fn.visualmode)
  if mode == "v" and #lines == to[1] - from[1] + 1 then
    local last = lines[#lines]
    if to[2] < #last then
      lines[#lines] = last:sub(1, to[2] + 1 + vim.str_utf_end(last, to[2] + 1))
    end
    lines[1] = lines[1]:sub(from[2] + 1)
  end
  return vim.list_extend({ head }, lines)
end

---@param root string
---@return string
function M.cursor(root)
  local buf = require("codex-chat.context.origin").get()
  local name = buf and paths.of_buf(buf, root)
  if not buf or not name then
    return "The user is in no file of the project."
  end
  local win = vim.fn.win_findbuf(buf)[1]
  local at = win and api.nvim_win_get_cursor(win) or api.nvim_buf_get_mark(buf, '"')
  local row = math.max(1, at[1])
  local all = paths.lines(buf, root) or {}
  local line = all[row] or ""
  local column = vim.fn.strchars(line:sub(1, at[2])) + 1
  local lines = { ("%s:%d:%d"):format(bounds.line(name), row, column), line }
  return bounds.join(vim.list_extend(lines, selection(buf, all)))
end

return M
