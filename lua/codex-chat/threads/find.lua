--- Finding a text in conversations, within worker threads: without the editor's API.
local M = {}

local uv = vim.uv

--- How much of a file is looked through, how many lines of one are told, and how much of a line.
local max_bytes, max_hits, max_shown = 64 * 1024 * 1024, 1000, 300

--- Where `chars` stands in `text`, each character in one of its two cases.
---@param text string
---@param chars string[][]
---@param from integer
---@return integer? first
---@return integer? last
local function find_folded(text, chars, from)
  while true do
    local first
    for _, variant in ipairs(chars[1]) do
      local at = text:find(variant, from, true)
      first = at and first and math.min(at, first) or at or first
    end
    if not first then
      return nil
    end
    local at = first
    for _, variants in ipairs(chars) do
      local width
      for _, variant in ipairs(variants) do
        if text:sub(at, at + #variant - 1) == variant then
          width = #variant
        end
      end
      at = width and at + width
      if not at then
        break
      end
    end
    if at then
      return first, at - 1
    end
    from = first + 1
  end
end

--- The part of a line that is shown, on character boundaries.
---@param text string
---@param first integer of the line
---@param last integer
---@param hit integer
---@return string
local function excerpt(text, first, last, hit)
  local from, to = first, last
  if last - first > max_shown then
    from = math.max(first, hit - math.floor(max_shown / 3))
    to = math.min(last, from + max_shown)
    while from > first and text:byte(from) and text:byte(from) >= 0x80 and text:byte(from) < 0xc0 do
      from = from - 1
    end
    while to < last and text:byte(to + 1) >= 0x80 and text:byte(to + 1) < 0xc0 do
      to = to + 1
    end
  end
  return (from > first and "…" or "") .. text:sub(from, to) .. (to < last and "…" or "")
end

--- Where the text of a conversation begins; its front matter is not looked through.
---@param text string
---@return integer
local function start_of(text)
  if not text:find("^\239?\187?\191?%-%-%-%s*\n") then
    return 1
  end
  local head = text:sub(1, 64 * 1024)
  local _, stop = head:find("\n%-%-%-%s-\n")
  return stop and stop or 1
end

---@param text string
---@param wanted codex-chat.Wanted
---@return { lnum: integer, col: integer, text: string }[]
local function hits_in(text, wanted)
  local hay = wanted.exact and text or text:lower()
  local find = wanted.chars and function(from)
    return find_folded(hay, wanted.chars, from)
  end or function(from)
    return hay:find(wanted.text, from, true)
  end
  local hits, lnum, counted = {}, 1, 1
  local pos = start_of(text)
  while #hits < max_hits do
    local first = find(pos)
    if not first then
      break
    end
    local line = counted
    while true do
      local stop = text:find("\n", line, true)
      if not stop or stop >= first then
        break
      end
      line, lnum = stop + 1, lnum + 1
    end
    counted = line
    local stop = text:find("\n", first, true) or #text + 1
    hits[#hits + 1] =
      { lnum = lnum, col = first - line + 1, text = excerpt(text, line, stop - 1, first) }
    pos = stop + 1
  end
  return hits
end

---@class (exact) codex-chat.Wanted
---@field paths string[]
---@field text string in lower case unless `exact`
---@field exact boolean whether case matters
---@field chars string[][]? both cases of each character, where ASCII's rules are not enough

--- The lines that have the text, by file in the order of the paths; no more than the first of a line.
---@param wanted codex-chat.Wanted
---@param dir string where these modules lie
---@param state string the state directory
---@return { lnum: integer, col: integer, text: string }[][]
function M.find(wanted, dir, state)
  local open = dofile(dir .. "/worker.lua").look(dir, state).open
  local found = {}
  for n, path in ipairs(wanted.paths) do
    found[n] = {}
    local fd, _, stat = open(path)
    if fd and stat then
      local text = uv.fs_read(fd, math.min(stat.size, max_bytes), 0)
      uv.fs_close(fd)
      found[n] = text and hits_in(text, wanted) or {}
    end
  end
  return found
end

return M
