--- The list of files in a review's first window.
local M = {}

local comments = require("codex-chat.review.comments.store")
local keys = require("codex-chat.review.keys")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.review.list")

--- A letter and a colour for each kind of change.
M.kinds = {
  created = { "A", "CodexChatAdded", "new" },
  deleted = { "D", "CodexChatRemoved", "deleted" },
  changed = { "M", "CodexChatReviewChanged", "changed" },
  renamed = { "R", "CodexChatReviewChanged", "renamed" },
  mode = { "X", "CodexChatReviewChanged", "permissions" },
  unknown = { "?", "CodexChatWaiting", "not on record" },
  conflict = { "!", "CodexChatWaiting", "changed since" },
}

local headings = {
  ignored = "hidden by ignore rules",
  unknown = "content not on record",
}

--- A path that fits, with its last part whole for as long as that is possible.
---@param name string
---@param width integer
---@return string dir
---@return string base
local function fit(name, width)
  local dir, base = name:match("^(.*/)([^/]*)$")
  dir, base = dir or "", base or name
  local room = width - api.nvim_strwidth(base)
  if api.nvim_strwidth(dir) <= room then
    return dir, base
  elseif room < 3 then
    return "", require("codex-chat.message").cut(base, width)
  end
  local chars = vim.fn.strchars(dir)
  while chars > 0 and api.nvim_strwidth(dir) > room - 1 do
    dir = vim.fn.strcharpart(dir, 1)
    chars = chars - 1
  end
  return "…" .. dir, base
end

---@param file codex-chat.ReviewFile
---@param count integer of comments
---@return string[][] chunks
local function right_of(file, count)
  local chunks = {}
  if count > 0 then
    chunks[#chunks + 1] = { ("●%d "):format(count), "CodexChatReviewComment" }
  end
  if file.done then
    chunks[#chunks + 1] = { file.done == "accepted" and "accepted " or "back ", "CodexChatMuted" }
  elseif file.added then
    if file.added > 0 or file.removed == 0 then
      chunks[#chunks + 1] = { ("+%d "):format(file.added), "CodexChatAdded" }
    end
    if file.removed > 0 then
      chunks[#chunks + 1] = { ("-%d "):format(file.removed), "CodexChatRemoved" }
    end
  elseif file.change == "mode" or file.change == "conflict" then
    chunks[#chunks + 1] = { M.kinds[file.change][3] .. " ", "CodexChatMuted" }
  elseif file.change ~= "unknown" then
    chunks[#chunks + 1] = { "binary ", "CodexChatMuted" }
  end
  return chunks
end

---@param chunks string[][]
---@return integer
local function width_of(chunks)
  local width = 0
  for _, chunk in ipairs(chunks) do
    width = width + api.nvim_strwidth(chunk[1])
  end
  return width
end

---@param review codex-chat.Review
---@return integer added
---@return integer removed
local function totals(review)
  local added, removed = 0, 0
  for _, file in ipairs(review.files) do
    added, removed = added + (file.added or 0), removed + (file.removed or 0)
  end
  return added, removed
end

--- A file comment's text below its row.
---@param review codex-chat.Review
---@param file codex-chat.ReviewFile
---@return table[]
local function notes(review, file)
  local found = {}
  for _, comment in ipairs(comments.of(review.chat, file.path)) do
    if comment.first == 0 then
      for _, line in ipairs(vim.split(comment.text, "\n", { plain = true })) do
        found[#found + 1] = { { "    ▎ " .. line, "CodexChatReviewComment" } }
      end
    end
  end
  return found
end

---@param review codex-chat.Review
---@return integer
local function width_for(review)
  return api.nvim_win_is_valid(review.list) and api.nvim_win_get_width(review.list) or 40
end

--- Draws the list, with the cursor on the file that is shown.
---@param review codex-chat.Review
function M.draw(review)
  local buf, width = review.list_buf, width_for(review)
  if not api.nvim_buf_is_valid(buf) then
    return
  end
  local lines, marks, rows, group = {}, {}, {}, "files"
  local function add(line, highlights, extra)
    lines[#lines + 1] = line
    for _, highlight in ipairs(highlights) do
      marks[#marks + 1] =
        { #lines - 1, highlight[1], { end_col = highlight[2], hl_group = highlight[3] } }
    end
    if extra then
      marks[#marks + 1] = { #lines - 1, 0, extra }
    end
  end
  for _, file in ipairs(review.files) do
    if file.group ~= group then
      group = file.group
      local heading = "   " .. headings[group]
      add(heading, { { 0, #heading, "CodexChatMuted" } })
    end
    local kind = M.kinds[file.change]
    local chunks = right_of(file, #comments.of(review.chat, file.path))
    local room = width - 5 - width_of(chunks) - 1
    local name = file.old
        and ("%s → %s"):format(vim.fs.basename(file.old):gsub("%c", "?"), file.name)
      or file.name
    local dir, base = fit(name, math.max(room, 4))
    local mark = file == review.showing and "▸" or " "
    local letter = file.done == "accepted" and "✓" or file.done and "↶" or kind[1]
    local head = ("%s %s "):format(mark, letter)
    local line = head .. dir .. base
    add(line, {
      { 0, #mark, "CodexChatReviewCurrent" },
      { #mark + 1, #head, file.done and "CodexChatMuted" or kind[2] },
      { #head, #head + #dir, "CodexChatMuted" },
      {
        #head + #dir,
        #line,
        file.done and "CodexChatMuted"
          or file == review.showing and "CodexChatReviewCurrent"
          or "CodexChatReviewFile",
      },
    }, {
      virt_text = chunks,
      virt_text_pos = "right_align",
      hl_mode = "combine",
      virt_lines = notes(review, file),
    })
    rows[#lines] = file
  end
  review.rows = rows
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable, vim.bo[buf].modified = false, false
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  for _, mark in ipairs(marks) do
    api.nvim_buf_set_extmark(buf, ns, mark[1], mark[2], mark[3])
  end
  M.follow(review)
  M.winbar(review)
end

--- Puts the list's cursor on the file that is shown.
---@param review codex-chat.Review
function M.follow(review)
  for row, file in pairs(review.rows) do
    if file == review.showing and api.nvim_win_is_valid(review.list) then
      api.nvim_win_set_cursor(review.list, { row, 0 })
    end
  end
end

--- The file on the list's line under the cursor.
---@param review codex-chat.Review
---@return codex-chat.ReviewFile?
function M.file_here(review)
  return review.rows[api.nvim_win_get_cursor(review.list)[1]]
end

--- Text for a winbar, in which nothing is an item.
---@param words string
---@return string
function M.plain(words)
  return (words:gsub("%c", " "):gsub("%%", "%%%%"))
end

--- The columns that the title keeps beside the keys.
local least_title = 20

---@param review codex-chat.Review
function M.winbar(review)
  if not api.nvim_win_is_valid(review.list) then
    return
  end
  local added, removed = totals(review)
  local left = 0
  for _, file in ipairs(review.files) do
    left = left + (file.done and 0 or 1)
  end
  local count = ("%d of %d left"):format(left, #review.files)
  if left == #review.files then
    count = #review.files == 1 and "1 file" or ("%d files"):format(left)
  end
  local right = ("%s %%#CodexChatAdded#+%d %%#CodexChatRemoved#-%d "):format(count, added, removed)
  local room = width_for(review) - #count - #tostring(added) - #tostring(removed) - 7
  local hint = keys.hint(room - math.min(api.nvim_strwidth(review.title), least_title))
  if hint ~= "" and not keys.has_room(review.right_win) then
    right, room = ("%s   %s"):format(hint, right), room - api.nvim_strwidth(hint) - 3
  end
  local title = room > 8 and require("codex-chat.message").cut(review.title, room) or ""
  vim.wo[review.list][0].winbar = ("%%#CodexChatReviewTitle# %s%%*%%=%%#CodexChatMuted#%s%%*"):format(
    M.plain(title),
    right
  )
end

--- How many lines the list would like.
---@param review codex-chat.Review
---@return integer
function M.height(review)
  -- The winbar is one more.
  return api.nvim_buf_line_count(review.list_buf) + 1
end

return M
