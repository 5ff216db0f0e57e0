--- The conversation's file: reading it and writing it whole.
local M = {}

--- The largest conversation that is read.
M.max_bytes = 64 * 1024 * 1024

--- A file's text as lines.
---@param text string
---@return string[]
function M.lines_of(text)
  if text:sub(1, 3) == "\239\187\191" then
    text = text:sub(4)
  end
  -- A pattern over the whole of a long text takes a while; most have none of these.
  if text:find("\r\n", 1, true) then
    text = text:gsub("\r\n", "\n")
  end
  if text:sub(-1) == "\n" then
    text = text:sub(1, -2)
  end
  return vim.split(text, "\n", { plain = true })
end

--- Reads a conversation as lines. SECURITY: what the agent may have put in its place is refused.
---@param path string absolute
---@return string[]? lines nil where the file cannot be read
---@return string? err
---@return string? text as it stands in the file
function M.read(path)
  local text, err = require("codex-chat.disk.look").read(path, M.max_bytes)
  if not text then
    return nil, err
  end
  return M.lines_of(text), nil, text
end

--- Writes a file so that a crash at any moment leaves the old one or the new one, whole. SECURITY: a
--- link in its place, or on the way to it, is refused.
---@param path string absolute
---@param lines string[]
---@return true? ok
---@return string? err
function M.write(path, lines)
  local text = table.concat(lines, "\n") .. "\n"
  return require("codex-chat.disk.change").write(path, text)
end

--- Row (0-based) of the last `## You` heading outside of fences, or nil.
---@param lines string[]
---@return integer?
function M.find_prompt(lines)
  return require("codex-chat.buffer.markdown").scan(lines).prompt
end

return M
