--- Closed folds over outputs and diffs: manual ones, made as blocks are written.
---
--- Folds belong to a window, so every fold is an extmark of the buffer as well, and a window that shows
--- the conversation later gets it then. Each is made once in a window: afterwards the user may open,
--- close or delete it.
local M = {}

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.folds")

--- How long one tick may make folds, in ms: 5,000 of them take about a second in all.
local slice_ms = 5

---@type table<integer, table<integer, string>> by buffer: labels by extmark
local labels = {}
---@type table<integer, table<integer, table<integer, true>>> by window and buffer: marks with a fold
local made = {}

---@param buf integer
---@param mark integer
---@return integer? first
---@return integer? last 0-based, inclusive
local function rows_of(buf, mark)
  local pos = api.nvim_buf_get_extmark_by_id(buf, ns, mark, { details = true })
  if not pos[1] then
    return nil
  end
  local last = pos[3].end_row or pos[1]
  if (pos[3].end_col or 0) == 0 then
    last = last - 1
  end
  return pos[1], math.min(last, api.nvim_buf_line_count(buf) - 1)
end

---@param win integer
---@param buf integer
---@return table<integer, true>
local function done_in(win, buf)
  made[win] = made[win] or {}
  made[win][buf] = made[win][buf] or {}
  return made[win][buf]
end

--- Makes one fold in the current window. Neither view nor cursor moves.
---@param buf integer
---@param mark integer
local function make(buf, mark)
  local first, last = rows_of(buf, mark)
  if not first or not last or last <= first then
    return
  end
  local view = vim.fn.winsaveview()
  vim.cmd(("silent! keepjumps %d,%dfold"):format(first + 1, last + 1))
  -- `:fold` leaves a fold around the cursor open, and the cursor where it was.
  if view.lnum <= first or view.lnum > last + 1 then
    vim.cmd(("silent! %dfoldclose"):format(first + 1))
  end
  if vim.fn.line("w0") ~= view.topline or vim.fn.line(".") ~= view.lnum then
    vim.fn.winrestview(view)
  end
end

--- Whether Neovim has made this fold in the window already: a window that gets a buffer has the folds
--- of the buffer's last window, as the user left them.
---@param buf integer
---@param mark integer
---@return boolean
local function is_inherited(buf, mark)
  local first = rows_of(buf, mark)
  return first ~= nil and vim.fn.foldlevel(first + 1) > 0
end

--- Adds the folds that a window may show around a row: those within twice its height of visible lines.
---@param buf integer
---@param marks integer[][] ids and first rows, in the order of their rows
---@param row integer
---@param room integer visible lines
---@param found table<integer, true> by id
local function add_near(buf, marks, row, room, found)
  local n = #marks
  while n > 0 and marks[n][2] > row do
    n = n - 1
  end
  for step = -1, 1, 2 do
    local left, edge, i = room, row, step < 0 and n or n + 1
    while marks[i] do
      local first, last = rows_of(buf, marks[i][1])
      -- What is between two folds, and the line of the fold itself.
      left = left - (step < 0 and math.max(edge - (last or edge), 1) or (first or edge) - edge)
      if left < 0 then
        break
      end
      found[marks[i][1]] = true
      edge, i = step < 0 and first or last or edge, i + step
    end
  end
end

---@param win integer
---@param buf integer
---@param marks integer[] the next one to make is last
---@param is_new? boolean whether the window has just got the buffer
---@param at_once? integer how many to make now; by default as many as the time of a tick allows
local function make_some(win, buf, marks, is_new, at_once)
  if not api.nvim_win_is_valid(win) or api.nvim_win_get_buf(win) ~= buf then
    return
  end
  if vim.wo[win].foldmethod ~= "manual" then
    return
  end
  local done = done_in(win, buf)
  local stop = vim.uv.hrtime() + slice_ms * 1e6
  api.nvim_win_call(win, function()
    local left = #marks - (at_once or #marks)
    while #marks > left and (at_once or vim.uv.hrtime() < stop) do
      local mark = table.remove(marks)
      if not done[mark] then
        done[mark] = true
        if not (is_new and is_inherited(buf, mark)) then
          make(buf, mark)
        end
      end
    end
  end)
  if #marks > 0 then
    local function go_on()
      make_some(win, buf, marks, is_new)
    end
    if at_once then
      require("codex-chat.async").drawn(go_on)
    else
      vim.defer_fn(go_on, 1)
    end
  end
end

---@param buf integer
---@return integer[]
local function windows(buf)
  return vim.fn.win_findbuf(buf)
end

---@param buf integer
---@param first integer
---@param last integer
---@param label string?
---@return integer mark
local function remember(buf, first, last, label)
  local count = api.nvim_buf_line_count(buf)
  local mark = api.nvim_buf_set_extmark(buf, ns, first, 0, {
    end_row = math.min(last + 1, count),
    end_col = 0,
    strict = false,
    right_gravity = true,
    end_right_gravity = false,
  })
  labels[buf] = labels[buf] or {}
  labels[buf][mark] = label
  return mark
end

---@param buf integer
local function forget(buf)
  labels[buf] = nil
  for win in pairs(made) do
    made[win][buf] = nil
    if not api.nvim_win_is_valid(win) then
      made[win] = nil
    end
  end
end

--- Starts again: the buffer has no folds of the plugin's.
---@param buf integer
function M.attach(buf)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  forget(buf)
  labels[buf] = {}
end

--- Removes all folds in every window, for a buffer that gets another text.
---@param buf integer
function M.clear(buf)
  for _, win in ipairs(windows(buf)) do
    api.nvim_win_call(win, function()
      vim.cmd("silent! normal! zE")
    end)
  end
  M.attach(buf)
end

--- Forgets the folds of a conversation that is closed.
---@param buf integer
function M.detach(buf)
  forget(buf)
  if api.nvim_buf_is_valid(buf) then
    api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  end
end

--- Folds the rows from `first` to `last`, in every window that shows the buffer.
---@param buf integer
---@param first integer 0-based
---@param last integer inclusive
---@param label? string names the folded lines in the fold's text
function M.add(buf, first, last, label)
  local mark = remember(buf, first, last, label)
  for _, win in ipairs(windows(buf)) do
    make_some(win, buf, { mark })
  end
end

--- Makes the folds of a conversation that was read from its file.
---@param buf integer
---@param folds integer[][] first and last rows
function M.load(buf, folds)
  for _, rows in ipairs(folds) do
    remember(buf, rows[1], rows[2], nil)
  end
  for _, win in ipairs(windows(buf)) do
    M.window(win)
  end
end

--- Makes all folds that this window lacks: those in view at once, then the rest
--- from the end backwards, a slice at a time.
---@param win integer
function M.window(win)
  local buf = api.nvim_win_get_buf(win)
  -- Neovim itself shows a buffer in a window for autocommands while it loads it.
  if not labels[buf] or vim.fn.win_gettype(win) == "autocmd" then
    return
  end
  local done = done_in(win, buf)
  local all = vim.tbl_filter(function(mark)
    return not done[mark[1]]
  end, api.nvim_buf_get_extmarks(buf, ns, 0, -1, {}))
  local near, row = {}, api.nvim_win_get_cursor(win)[1] - 1
  local room = 2 * api.nvim_win_get_height(win)
  add_near(buf, all, api.nvim_buf_line_count(buf), room, near)
  -- The cursor of a window that has just been opened is on the first line, and not for long.
  if row > 0 then
    add_near(buf, all, row, room, near)
  end
  local marks, at_once = {}, {}
  for _, mark in ipairs(all) do
    table.insert(near[mark[1]] and at_once or marks, mark[1])
  end
  make_some(win, buf, vim.list_extend(marks, at_once), true, #at_once)
end

--- The buffer's folds, for tests: first and last rows.
---@param buf integer
---@return integer[][]
function M.list(buf)
  return vim.tbl_map(function(mark)
    return { rows_of(buf, mark[1]) }
  end, api.nvim_buf_get_extmarks(buf, ns, 0, -1, {}))
end

local nouns = {
  output = "output",
  patch = "diff",
  arguments = "arguments",
  result = "result",
  hook = "output",
}

--- What a fold holds, judged by the line of the fence and the one below.
---@param fence string
---@param below string
---@return string
local function noun(fence, below)
  local info = fence:match("^[`~]+%s*%S+%s+(%S+)")
  -- A command that is too long for its summary is above its output.
  if info == "output" and below:find("^%$ ") then
    return "command and output"
  end
  return nouns[info] or "text"
end

--- The text of a closed fold, for 'foldtext'.
---@return table chunks text with highlights
function M.foldtext()
  local first, last = vim.v.foldstart, vim.v.foldend
  local line = vim.fn.getline(first)
  -- Thoughts are folded with the line that says how long they took.
  local thought = line:match("^> (%*%*Thought%*%*.*)$")
  if thought then
    return { { "  ▸ " .. thought:gsub("%*%*", ""):gsub("\\(%p)", "%1"), "CodexChatFold" } }
  end
  local quoted = line:sub(1, 1) == ">"
  local inner = quoted and last - first + 1 or math.max(0, last - first - 1)
  local what = noun(line, vim.fn.getline(first + 1))
  local words = ("%d line%s of %s"):format(inner, inner == 1 and "" or "s", what)
  return { { "  ▸ ", "CodexChatFold" }, { words, "CodexChatFold" } }
end

return M
