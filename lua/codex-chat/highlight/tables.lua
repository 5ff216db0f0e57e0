--- Tables with their borders drawn, and with their columns aligned where they fit into the window.
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
---@param rule string what is shown instead
local function delimiter(buf, ns, row, line, rule)
  api.nvim_buf_set_extmark(buf, ns, row, 0, { end_col = #line, conceal = "", priority = 140 })
  api.nvim_buf_set_extmark(buf, ns, row, 0, {
    virt_text = { { rule, "CodexChatBorder" } },
    virt_text_pos = "overlay",
    hl_mode = "combine",
  })
end

---@param buf integer
---@param ns integer
---@param row integer
---@param col integer
---@param size integer
local function pad(buf, ns, row, col, size)
  if size > 0 then
    api.nvim_buf_set_extmark(buf, ns, row, col, {
      virt_text = { { (" "):rep(size) } },
      virt_text_pos = "inline",
      right_gravity = false,
      strict = false,
    })
  end
end

---@class (exact) codex-chat.TableRow
---@field line string
---@field cells codex-chat.Cell[]
---@field is_delimiter boolean

---@param rows codex-chat.TableRow[] of one table
---@return integer[] sizes of the columns
---@return boolean[] right which columns stand at the right, as their delimiter says
---@return integer columns that the table takes; Neovim wraps a line as if its marks were not hidden
local function measure(rows)
  local sizes, right, most = {}, {}, 0
  for _, row in ipairs(rows) do
    for c, cell in ipairs(row.cells) do
      if not row.is_delimiter then
        sizes[c] = math.max(sizes[c] or 3, cell.size)
      elseif row.line:sub(cell.first + 1, cell.last):find("^%s*%-+:%s*$") then
        right[c] = true
      end
    end
  end
  for _, row in ipairs(rows) do
    local size = api.nvim_strwidth(row.line)
    for c, cell in ipairs(row.is_delimiter and {} or row.cells) do
      size = size + sizes[c] - cell.size
    end
    most = math.max(most, size)
  end
  return sizes, right, most
end

--- Draws the borders of a table, and aligns its columns if they fit.
---@param buf integer
---@param ns integer
---@param first integer the first line's row
---@param rows codex-chat.TableRow[] of one table
local function draw(buf, ns, first, rows)
  local sizes, right, most = measure(rows)
  local room = require("codex-chat.buffer.columns").narrowest(buf, math.huge)
  local fits = most <= room
  for n, row in ipairs(rows) do
    local at = first + n - 1
    if row.is_delimiter then
      local pieces = vim.tbl_map(function(size)
        return ("─"):rep(size)
      end, sizes)
      local rule = "├" .. table.concat(pieces, "┼") .. "┤"
      delimiter(buf, ns, at, row.line, fits and rule or ("─"):rep(room))
    else
      bar(buf, ns, at, 0, "│")
      for c, cell in ipairs(row.cells) do
        if fits then
          pad(buf, ns, at, right[c] and cell.first or cell.last, sizes[c] - cell.size)
        end
        bar(buf, ns, at, cell.last, "│")
      end
    end
  end
end

--- Draws the tables in a run of lines.
---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param lines string[]
---@return boolean found
function M.paint(buf, ns, row, lines)
  local fence, found, with_delimiter, has_table = nil, {}, false, false
  for i = 1, #lines + 1 do
    local line = lines[i] or ""
    fence = format.step(fence, line)
    local cells = not fence and line:byte(1) == 124 and cells_of(line) -- "|"
    if cells then
      local delimits = is_delimiter(line)
      found[#found + 1] = { line = line, cells = cells, is_delimiter = delimits }
      with_delimiter = with_delimiter or delimits
    elseif #found > 0 then
      if with_delimiter and #found <= max_rows then
        draw(buf, ns, row + i - 1 - #found, found)
        has_table = true
      end
      found, with_delimiter = {}, false
    end
  end
  return has_table
end

return M
