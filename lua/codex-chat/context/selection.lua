--- Reads selected text, and quotes it with the place that it is from.
local M = {}

local api = vim.api

---@class (exact) codex-chat.Selection rows and columns are 1-based, ends included
---@field buf integer
---@field kind "v"|"V"|"\22"
---@field first integer
---@field last integer
---@field first_col integer columns count characters
---@field last_col integer
---@field lines string[]

---@param buf integer
---@param root string
---@return string
local function describe(buf, root)
  local name = api.nvim_buf_get_name(buf)
  if name == "" then
    return "an unnamed buffer"
  end
  local path = vim.uv.fs_realpath(name) or name
  if vim.startswith(path, root .. "/") then
    path = path:sub(#root + 2)
  end
  local ticks = require("codex-chat.format").fence_for({ path }):sub(3)
  if path:find("`", 1, true) then
    return ("%s %s %s"):format(ticks, path, ticks)
  end
  return ("`%s`"):format(path)
end

--- The position of a selection in its buffer, in words.
---@param s codex-chat.Selection
---@return string
function M.place(s)
  if s.kind == "v" then
    if s.first == s.last then
      return ("line %d, columns %d-%d"):format(s.first, s.first_col, s.last_col)
    end
    return ("line %d column %d to line %d column %d"):format(
      s.first,
      s.first_col,
      s.last,
      s.last_col
    )
  end
  local where = s.first == s.last and ("line %d"):format(s.first)
    or ("lines %d-%d"):format(s.first, s.last)
  if s.kind == "\22" then
    where = ("%s, columns %d-%d"):format(where, s.first_col, s.last_col)
  end
  return where
end

--- The selection as a quotation in a query.
---@param s codex-chat.Selection
---@param root string the project's, for relative paths
---@return string[]
function M.quote(s, root)
  local ticks = require("codex-chat.format").fence_for(s.lines)
  local unsaved = ""
  if api.nvim_buf_get_name(s.buf) == "" then
    unsaved = " (not saved in a file)"
  elseif vim.bo[s.buf].modified then
    unsaved = " (with unsaved changes)"
  end
  local lines = {
    ("From %s %s%s:"):format(describe(s.buf, root), M.place(s), unsaved),
    "",
    ticks .. vim.bo[s.buf].filetype:match("^[%w_+-]*"),
  }
  vim.list_extend(lines, s.lines)
  lines[#lines + 1] = ticks
  return lines
end

--- The text between two positions of getpos(), selected by the visual mode `kind`.
---@param from integer[]
---@param to integer[]
---@param kind string
---@return codex-chat.Selection
function M.between(from, to, kind)
  if from[2] > to[2] or (from[2] == to[2] and from[3] > to[3]) then
    from, to = to, from
  end
  local lines = vim.fn.getregion(from, to, { type = kind })
  ---@type codex-chat.Selection
  local s = {
    buf = api.nvim_get_current_buf(),
    kind = kind,
    first = from[2],
    last = to[2],
    first_col = 1,
    last_col = 1,
    lines = lines,
  }
  local function column(pos)
    local text = vim.fn.getline(pos[2])
    return vim.fn.strchars(text:sub(1, math.min(pos[3], #text + 1) - 1)) + 1
  end
  if kind == "v" then
    s.first_col = column(from)
    s.last_col = math.min(column(to), math.max(1, vim.fn.strchars(vim.fn.getline(to[2]))))
  elseif kind == "\22" then
    local left, right = column(from), column(to)
    s.first_col, s.last_col = math.min(left, right), math.max(left, right)
    if to[3] >= vim.v.maxcol or from[3] >= vim.v.maxcol then
      s.last_col = 1
      for i, line in ipairs(lines) do
        s.last_col = math.max(s.last_col, s.first_col + vim.fn.strchars(line) - (i > 0 and 1 or 0))
      end
    end
  end
  return s
end

--- The last selection in a buffer, which need not be shown.
---@param buf integer
---@return codex-chat.Selection?
function M.last(buf)
  return api.nvim_buf_call(buf, function()
    local from, to = vim.fn.getpos("'<"), vim.fn.getpos("'>")
    local count = api.nvim_buf_line_count(buf)
    if from[2] < 1 or to[2] < 1 or from[2] > count or to[2] > count then
      return nil
    end
    local kind = vim.fn.visualmode()
    return M.between(from, to, kind ~= "" and kind or "V")
  end)
end

return M
