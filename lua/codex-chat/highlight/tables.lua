--- Tables with their columns aligned and their borders drawn, where they fit into the window.
local M = {}

local format = require("codex-chat.format")

local api = vim.api

--- A longer table is left as it is.
local max_rows = 200

---@class (exact) codex-chat.Cell
---@field first integer byte column behind the bar, 0-based
---@field last integer byte column of the next bar
---@field size integer columns of the text as it is shown

--- How wide a text is without the marks that are concealed.
---@param text string
---@return integer
local function shown_size(text)
  -- Code spans first: marks within them are text.
  local size = 0
  local rest = text:gsub("(`+)(.-)%1", function(_, code)
    size = size + api.nvim_strwidth(code)
    return ""
  end)
  rest = rest:gsub("%*%*(.-)%*%*", "%1"):gsub("!?%[(.-)%]%(.-%)", "%1"):gsub("~~(.-)~~", "%1")
  rest = rest:gsub("%f[%w%*]%*([^%*]-)%*", "%1"):gsub("\\(%p)", "%1")
  return size + api.nvim_strwidth(rest)
end

--- The cells of a line such as "| a | b |"; nil for any other line.
---@param line string
---@return codex-chat.Cell[]?
local function cells_of(line)
  local at = line:match("^|()")
  if not at or not line:find("|%s*$") then
    return nil
  end
  local cells, from, in_code = {}, at, false
  local n = at
  while n <= #line do
    local byte = line:byte(n)
    if byte == 92 then -- "\"
      n = n + 1
    elseif byte == 96 then -- "`"
      in_code = not in_code
    elseif byte == 124 and not in_code then -- "|"
      local text = line:sub(from, n - 1)
      cells[#cells + 1] = { first = from - 1, last = n - 1, size = shown_size(text) }
      from = n + 1
    end
    n = n + 1
  end
  return #cells > 0 and cells or nil
end

---@param line string
---@return boolean
local function is_delimiter(line)
  return line:find("^|[%s:|-]+|%s*$") ~= nil and line:find("%-") ~= nil
end

---@param buf integer
---@param ns integer
---@param row integer
---@param col integer
---@param char string
local function bar(buf, ns, row, col, char)
  api.nvim_buf_set_extmark(buf, ns, row, col, {
    virt_text = { { char, "CodexChatBorder" } },
    virt_text_pos = "overlay",
    hl_mode = "combine",
    strict = false,
  })
end

---@param buf integer
---@param ns integer
---@param row integer the delimiter's row
---@param line string
---@param sizes integer[]
local function delimiter(buf, ns, row, line, sizes)
  local pieces = {}
  for n, size in ipairs(sizes) do
    pieces[n] = ("─"):rep(size)
  end
  api.nvim_buf_set_extmark(buf, ns, row, 0, { end_col = #line, conceal = "", priority = 140 })
  api.nvim_buf_set_extmark(buf, ns, row, 0, {
    virt_text = { { "├" .. table.concat(pieces, "┼") .. "┤", "CodexChatBorder" } },
    virt_text_pos = "overlay",
    hl_mode = "combine",
  })
end

---@param buf integer
---@param ns integer
---@param first integer the first line's row
---@param lines string[] of one table
local function align(buf, ns, first, lines)
  local rows, sizes, total = {}, {}, 1
  for n, line in ipairs(lines) do
    rows[n] = cells_of(line) or {}
    for c, cell in ipairs(is_delimiter(line) and {} or rows[n]) do
      sizes[c] = math.max(sizes[c] or 3, cell.size)
    end
  end
  for _, size in ipairs(sizes) do
    total = total + size + 1
  end
  if total > require("codex-chat.buffer.columns").narrowest(buf, math.huge) then
    return
  end
  for n, line in ipairs(lines) do
    local row = first + n - 1
    if is_delimiter(line) then
      delimiter(buf, ns, row, line, sizes)
    else
      bar(buf, ns, row, 0, "│")
      for c, cell in ipairs(rows[n]) do
        if sizes[c] > cell.size then
          api.nvim_buf_set_extmark(buf, ns, row, cell.last, {
            virt_text = { { (" "):rep(sizes[c] - cell.size) } },
            virt_text_pos = "inline",
            right_gravity = false,
            strict = false,
          })
        end
        bar(buf, ns, row, cell.last, "│")
      end
    end
  end
end

--- Aligns the tables in a run of lines.
---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param lines string[]
function M.paint(buf, ns, row, lines)
  local fence, first, with_delimiter
  for i = 1, #lines + 1 do
    local line = lines[i] or ""
    fence = format.step(fence, line)
    local is_row = not fence and line:byte(1) == 124 and cells_of(line) ~= nil -- "|"
    if is_row then
      first = first or i
      with_delimiter = with_delimiter or is_delimiter(line)
    elseif first then
      if with_delimiter and i - first <= max_rows then
        align(buf, ns, row + first - 1, vim.list_slice(lines, first, i - 1))
      end
      first, with_delimiter = nil, nil
    end
  end
end

return M
