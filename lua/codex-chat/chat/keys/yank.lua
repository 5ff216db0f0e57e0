--- Yanks the code block under the cursor, without its fences.
local M = {}

local format = require("codex-chat.format")
local say = require("codex-chat.message")

local api = vim.api

--- The rows of a code block between its fences, and its first line: 1-based, the last one inclusive.
---@param lines string[]
---@param first integer the first line of the section
---@param stop integer its last one
---@param at integer a line of the block; its fences count
---@return integer? from
---@return integer? to
local function find(lines, first, stop, at)
  local fence, opened ---@type codex-chat.Fence?, integer
  for i = first, stop do
    local edge
    fence, edge = format.step(fence, lines[i])
    if edge and fence then
      if i > at then
        return nil
      end
      opened = i
    elseif edge and i >= at then
      return opened + 1, i - 1
    end
    if i >= at and not fence then
      return nil
    end
  end
  -- The answer has not closed it yet.
  while fence and stop > opened and not lines[stop]:find("%S") do
    stop = stop - 1
  end
  if fence then
    return opened + 1, stop
  end
end

--- The lines of the code block at a row, without the blanks by which its fence is indented.
---@param lines string[] of the conversation
---@param row integer 0-based
---@return string[]? lines nil if there is none
function M.block_at(lines, row)
  local first, stop = 1, #lines
  for _, section in ipairs(require("codex-chat.chat.keys.turns").sections(lines)) do
    if section.row <= row then
      first = section.row + 1
    else
      stop = math.min(stop, section.row)
    end
  end
  local from, to = find(lines, first, stop, row + 1)
  if not from or not to then
    return nil
  end
  local indent = #lines[from - 1]:match("^ *")
  return vim.tbl_map(function(line)
    return line:sub(math.min(indent, #line:match("^ *")) + 1)
  end, vim.list_slice(lines, from, to))
end

--- Puts lines into the unnamed register and into the one that the user has named.
---@param lines string[]
---@param name string
---@return boolean whether the register takes them
function M.put(lines, name)
  local is_set = name == '"' or name == "_" or pcall(vim.fn.setreg, name, lines, "V")
  if name ~= "_" then
    vim.fn.setreg("0", lines, "V")
    vim.fn.setreg('"', { points_to = "0" })
  end
  return is_set
end

--- Yanks the code block under the cursor.
---@param chat codex-chat.Chat
function M.code_block(chat)
  local name = vim.v.register
  local row = api.nvim_win_get_cursor(0)[1] - 1
  local lines = M.block_at(api.nvim_buf_get_lines(chat.buf, 0, -1, false), row)
  if not lines then
    say.info("there is no code block under the cursor.")
  elseif #lines == 0 then
    say.info("the code block is empty.")
  elseif not M.put(lines, name) then
    say.error(("register %s cannot be written, so the text is in the unnamed one."):format(name))
  else
    local into = name ~= '"' and (" into %s"):format(name) or ""
    say.info(("%d line%s of code yanked%s."):format(#lines, #lines == 1 and "" or "s", into))
  end
end

return M
