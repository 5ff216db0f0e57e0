--- Highlights a run of lines: markdown by treesitter, and a conversation's own elements.
local M = {}

local calls = require("codex-chat.buffer.calls")
local prose = require("codex-chat.highlight.prose")

local api = vim.api

--- Longer chunks are outputs and pasted text, not worth parsing.
local max_parsed_lines = 400
--- Neither are very long lines, or a run of them: an ordinary paragraph has 1,000 bytes, and a line is
--- coloured as a whole, even the part that nobody sees.
local max_parsed_bytes, max_line_bytes = 16 * 1024, 5000

--- The processor's time for querying the highlights of a parsed run of lines, in ms.
local captures_ms = 100
--- After how many of them the clock is looked at, which costs more than most of them.
local captures_each = 16

---@type table<integer, table<string, true>> languages that took too long, by buffer
local slow = {}

--- Captures without a colour. Code is the most important text of an answer, and many colour schemes
--- show whole blocks as dim as comments, so it keeps the normal colour.
local skipped = {
  spell = true,
  nospell = true,
  conceal = true,
  none = true,
  ["markup.raw.block"] = true,
}

--- Comments, which many schemes show with too little contrast.
local own_groups = {
  comment = "CodexChatComment",
  ["comment.documentation"] = "CodexChatComment",
}

--- What Neovim's queries leave in view of inline markdown: the backslash of an escape, and the brackets of
--- an address.
---@type table<string, string> the pattern of a text with such marks, by capture
local marks = { ["string.escape"] = "^\\.$", ["markup.link.url"] = "^<.*>$" }

---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param name string of a capture in inline markdown
---@param range Range6
---@param text string
local function hide_marks(buf, ns, row, name, range, text)
  local pattern = marks[name]
  local inner = pattern and range[1] == range[4] and text:sub(range[3] + 1, range[6])
  if not pattern or not inner or not inner:find(pattern) then
    return
  end
  for _, first in ipairs({ range[2], inner:byte(1) == 60 and range[5] - 1 or nil }) do -- "<"
    api.nvim_buf_set_extmark(buf, ns, row + range[1], first, {
      end_col = first + 1,
      conceal = "",
      priority = 130,
      strict = false,
    })
  end
end

---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param text string
---@param found codex-chat.Tree
---@param stop number when the time is over, as os.clock() counts
---@param is_call boolean whether the first line is that of a call, whose verb is not set in bold
local function captures(buf, ns, row, text, found, stop, is_call)
  local lang, query = found.language.name, found.language.highlights
  if not query then
    return
  end
  local count = 0
  for id, node, metadata in query:iter_captures(found.tree:root(), text, 0, -1) do
    count = count + 1
    if count % captures_each == 0 and os.clock() > stop then
      slow[buf][lang] = true
      return
    end
    local name = query.captures[id]
    local colors = not skipped[name] and name:sub(1, 1) ~= "_"
    -- Text that the query hides if the user has set 'conceallevel'.
    local conceal = metadata.conceal or (metadata[id] and metadata[id].conceal)
    if colors or conceal then
      local range = vim.treesitter.get_range(node, text, metadata[id])
      colors = colors and not (is_call and range[1] == 0 and name == "markup.strong")
      pcall(api.nvim_buf_set_extmark, buf, ns, row + range[1], range[2], {
        end_row = row + range[4],
        end_col = range[5],
        hl_group = colors and (own_groups[name] or prose.group("@" .. name .. "." .. lang)) or nil,
        conceal = conceal,
        priority = (tonumber(metadata.priority) or 100) + found.depth,
        strict = false,
      })
      if lang == "markdown_inline" then
        hide_marks(buf, ns, row, name, range, text)
      end
    end
  end
end

---@param buf integer
---@param ns integer
---@param row integer
---@param lines string[]
---@return boolean done
local function by_treesitter(buf, ns, row, lines)
  local text = table.concat(lines, "\n") .. "\n"
  slow[buf] = slow[buf] or {}
  local ok, done = pcall(function()
    local trees = require("codex-chat.highlight.trees").parse(text, "markdown", slow[buf])
    local stop = os.clock() + captures_ms / 1000
    local is_call = calls.verb_of(lines[1] or "") ~= nil
    for _, found in ipairs(trees or {}) do
      captures(buf, ns, row, text, found, stop, is_call)
    end
    return trees ~= nil
  end)
  return ok and done
end

---@param buf integer
---@param ns integer
---@param row integer
---@param first integer 0-based, in bytes
---@param last integer exclusive
---@param group string
---@param priority? integer
local function color(buf, ns, row, first, last, group, priority)
  api.nvim_buf_set_extmark(buf, ns, row, first, {
    end_col = last,
    hl_group = group,
    priority = priority or 120,
    strict = false,
  })
end

--- Highlights headings, fences and emphasis by pattern, without a parser or for a text that is too
--- long.
---@param buf integer
---@param ns integer
---@param row integer
---@param lines string[]
---@param fence codex-chat.Fence? that is open above
local function by_pattern(buf, ns, row, lines, fence)
  local format = require("codex-chat.format")
  for i, line in ipairs(lines) do
    local at = row + i - 1
    local edge
    fence, edge = format.step(fence, line)
    if edge then
      color(buf, ns, at, 0, #line, "CodexChatMuted", 100)
    elseif not fence and #line <= max_line_bytes and not calls.verb_of(line) then
      if line:find("^#+ ") then
        color(buf, ns, at, 0, #line, "Title", 100)
      end
      for first, last in line:gmatch("()`[^`]+`()") do
        color(buf, ns, at, first - 1, last - 1, "String", 100)
      end
      for first, last in line:gmatch("()%*%*[^*]+%*%*()") do
        color(buf, ns, at, first - 1, last - 1, "Bold", 100)
      end
    end
  end
end

---@param lines string[]
---@return boolean
local function is_parsed(lines)
  if #lines > max_parsed_lines then
    return false
  end
  local bytes = 0
  for _, line in ipairs(lines) do
    bytes = bytes + #line
    if #line > max_line_bytes or bytes > max_parsed_bytes then
      return false
    end
  end
  return true
end

--- The line that opens a fence that is not closed, counted from 1. A growing fence would be parsed
--- again with each word.
---@param lines string[]
---@return integer?
local function open_fence(lines)
  local format = require("codex-chat.format")
  local fence, edge, opened
  for i, line in ipairs(lines) do
    fence, edge = format.step(fence, line)
    opened = edge and i or opened
  end
  return fence and opened
end

--- Clears the list of languages that took too long in the buffer.
---@param buf integer
function M.forget(buf)
  slow[buf] = nil
end

--- Highlights markdown, each run of lines separately. Code is coloured once its fence is closed.
---@param buf integer
---@param ns integer
---@param row integer the first line's
---@param lines string[]
---@param fence codex-chat.Fence? that is open above
function M.markdown(buf, ns, row, lines, fence)
  if row == 0 then
    -- The line that ends front matter would make the line above it a heading.
    row = require("codex-chat.format").front_matter_end(lines)
    lines = vim.list_slice(lines, row + 1)
  end
  local open = not fence and open_fence(lines)
  if open then
    by_pattern(buf, ns, row + open - 1, vim.list_slice(lines, open))
    lines = vim.list_slice(lines, 1, open - 1)
  end
  if fence or not is_parsed(lines) or not by_treesitter(buf, ns, row, lines) then
    by_pattern(buf, ns, row, lines, fence)
  end
end

return M
