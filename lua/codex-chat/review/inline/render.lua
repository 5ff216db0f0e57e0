--- The text of an inline review, and how it looks.
local M = {}

local hunks = require("codex-chat.review.hunks")
local list = require("codex-chat.review.list")
local text = require("codex-chat.review.text")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.review.inline")

--- Lines around a change.
local around = 3

---@class (exact) codex-chat.InlinePlace
---@field file codex-chat.ReviewFile
---@field kind "file"|"gap"|"same"|"added"|"removed"
---@field left? integer line
---@field right? integer line; of a removed one, the line that stands below it

---@class codex-chat.InlineText
---@field lines string[]
---@field places codex-chat.InlinePlace[]
---@field words table<integer, integer[]> changed bytes by line

--- The bytes in which two lines differ.
---@param a string
---@param b string
---@return integer first 0-based
---@return integer a_last exclusive
---@return integer b_last exclusive
local function differing(a, b)
  local first, most = 0, math.min(#a, #b)
  while first < most and a:byte(first + 1) == b:byte(first + 1) do
    first = first + 1
  end
  local tail = 0
  while tail < most - first and a:byte(#a - tail) == b:byte(#b - tail) do
    tail = tail + 1
  end
  return first, #a - tail, #b - tail
end

---@param out codex-chat.InlineText
---@param line string
---@param place codex-chat.InlinePlace
local function add(out, line, place)
  out.lines[#out.lines + 1] = line
  out.places[#out.places + 1] = place
end

---@param out codex-chat.InlineText
---@param file codex-chat.ReviewFile
---@param hunk codex-chat.LineHunk
---@param side { before: string[], after: string[] }
local function add_hunk(out, file, hunk, side)
  local from = #out.lines
  local left, right = hunk.left, hunk.right
  for i = left[1], left[1] + left[2] - 1 do
    local below = right[2] == 0 and right[1] or right[1]
    add(out, side.before[i], { file = file, kind = "removed", left = i, right = below })
  end
  for i = right[1], right[1] + right[2] - 1 do
    add(out, side.after[i], { file = file, kind = "added", right = i })
  end
  if left[2] == right[2] then
    for i = 1, left[2] do
      local a, b = from + i, from + left[2] + i
      local first, a_last, b_last = differing(out.lines[a], out.lines[b])
      out.words[a], out.words[b] = { first, a_last }, { first, b_last }
    end
  end
end

---@param out codex-chat.InlineText
---@param file codex-chat.ReviewFile
---@param side? { before?: string[], after?: string[] }
local function add_file(out, file, side)
  local kind = list.kinds[file.change]
  local old = file.old and vim.fs.basename(file.old):gsub("%c", "?") .. " → " or ""
  add(out, ("%s %s%s"):format(kind[1], old, file.name), { file = file, kind = "file" })
  if not side or not side.before or not side.after then
    return
  end
  local found = hunks.diff(side.before, side.after)
  local shown = 0
  for i, hunk in ipairs(found) do
    local first = hunk.right[2] == 0 and hunk.right[1] + 1 or hunk.right[1]
    local from = math.max(first - around, shown + 1, 1)
    -- A gap takes a line itself.
    from = i > 1 and from == shown + 2 and shown + 1 or from
    if i > 1 and from > shown + 1 then
      add(out, "", { file = file, kind = "gap", right = shown + 1 })
    end
    for row = from, first - 1 do
      add(out, side.after[row], { file = file, kind = "same", right = row })
    end
    add_hunk(out, file, hunk, side)
    local stop = first + hunk.right[2]
    local next_hunk = found[i + 1]
    local limit = next_hunk
        and (next_hunk.right[2] == 0 and next_hunk.right[1] or next_hunk.right[1] - 1)
      or #side.after
    shown = math.min(stop + around - 1, limit, #side.after)
    for row = stop, shown do
      add(out, side.after[row], { file = file, kind = "same", right = row })
    end
  end
  add(out, "", { file = file, kind = "gap" })
end

local groups = { added = "DiffAdd", removed = "DiffDelete" }

---@param buf integer
---@param row integer 0-based
---@param place codex-chat.InlinePlace
---@param width integer of numbers
local function paint(buf, row, place, width)
  if place.kind == "file" then
    local file = place.file
    local counts
    if file.done then
      counts = { { file.done == "accepted" and "✓ accepted" or "↶ back", "CodexChatMuted" } }
    elseif file.added then
      counts = {
        { ("+%d "):format(file.added), "CodexChatAdded" },
        { ("-%d"):format(file.removed), "CodexChatRemoved" },
      }
    else
      counts = { { file.change == "mode" and "permissions" or "not text", "CodexChatMuted" } }
    end
    table.insert(counts, 1, { "  ", "Normal" })
    api.nvim_buf_set_extmark(buf, ns, row, 0, {
      line_hl_group = "CodexChatReviewHeader",
      virt_text = counts,
      virt_text_pos = "eol",
      hl_mode = "combine",
    })
    api.nvim_buf_set_extmark(
      buf,
      ns,
      row,
      0,
      { end_col = 1, hl_group = list.kinds[file.change][2], priority = 200 }
    )
    return
  elseif place.kind == "gap" then
    if place.right then
      api.nvim_buf_set_extmark(buf, ns, row, 0, {
        virt_text = { { (" "):rep(width - 1) .. "⋯", "LineNr" } },
        virt_text_pos = "overlay",
      })
    end
    return
  end
  local sign = place.kind == "added" and "+" or place.kind == "removed" and "-" or " "
  local number = place.kind == "removed" and "" or tostring(place.right)
  api.nvim_buf_set_extmark(buf, ns, row, 0, {
    virt_text = {
      { (" "):rep(width - #number) .. number .. " ", "LineNr" },
      { sign .. " ", groups[place.kind] or "LineNr" },
    },
    virt_text_pos = "inline",
    right_gravity = false,
  })
  if groups[place.kind] then
    api.nvim_buf_set_extmark(buf, ns, row, 0, {
      end_row = row + 1,
      hl_group = groups[place.kind],
      hl_eol = true,
      priority = 100,
    })
  end
end

--- Puts the text into the buffer of a review.
---@param review codex-chat.Review
---@param out codex-chat.InlineText
local function put(review, out)
  local buf = review.inline_buf --[[@as integer]]
  text.put(buf, out.lines)
  review.places = out.places
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  local most = 1
  for _, place in ipairs(out.places) do
    most = math.max(most, place.right or 0)
  end
  for i, place in ipairs(out.places) do
    paint(buf, i - 1, place, #tostring(most) + 1)
    local words = out.words[i]
    if words and words[2] > words[1] then
      api.nvim_buf_set_extmark(buf, ns, i - 1, words[1], {
        end_col = words[2],
        hl_group = "DiffText",
        priority = 200,
      })
    end
  end
end

--- Shows the files of a review in its buffer.
---@param review codex-chat.Review
---@param sides table<codex-chat.ReviewFile, { before?: string[], after?: string[] }>
function M.render(review, sides)
  local out = { lines = {}, places = {}, words = {} }
  for _, file in ipairs(review.files) do
    add_file(out, file, sides[file])
  end
  put(review, out)
end

return M
