--- Signs in the user's own buffers, for what Codex changed and nobody has accepted yet.
---
--- They are set when a turn has ended and when a changed file is read, and then move with their text; no
--- key costs anything. What the user writes gets no sign.
local M = {}

local events = require("codex-chat.events")
local files = require("codex-chat.review.files")
local hunks = require("codex-chat.review.hunks")
local registry = require("codex-chat.registry")
local say = require("codex-chat.message")
local text = require("codex-chat.review.text")

local api = vim.api
local ns = api.nvim_create_namespace("codex-chat.unseen")

---@class (exact) codex-chat.Unseen
---@field left string
---@field files table<string, codex-chat.ReviewFile> by path

---@type table<codex-chat.Chat, codex-chat.Unseen>
local unseen = setmetatable({}, { __mode = "k" })

local links =
  { CodexChatUnseen = "DiagnosticSignInfo", CodexChatUnseenDeleted = "DiagnosticSignInfo" }

--- The lines that have a sign, 1-based.
---@param buf integer
---@return table<integer, true>
local function signed(buf)
  local found = {}
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buf, ns, 0, -1, {})) do
    found[mark[2] + 1] = true
  end
  return found
end

---@param buf integer
---@param found codex-chat.LineHunk[]
---@param only? table<integer, true> lines that may have one
local function put(buf, found, only)
  api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  local count = api.nvim_buf_line_count(buf)
  local function is_wanted(hunk)
    for row = hunk.right[1], hunk.right[1] + math.max(hunk.right[2] - 1, 0) do
      if not only or only[math.min(math.max(row, 1), count)] then
        return true
      end
    end
    return false
  end
  for _, hunk in ipairs(vim.tbl_filter(is_wanted, found)) do
    local first, lines = hunk.right[1], hunk.right[2]
    for row = first, lines == 0 and first or first + lines - 1 do
      api.nvim_buf_set_extmark(buf, ns, math.min(math.max(row, 1), count) - 1, 0, {
        sign_text = lines == 0 and "▁" or "▎",
        sign_hl_group = lines == 0 and "CodexChatUnseenDeleted" or "CodexChatUnseen",
        priority = 7,
        -- Walking goes from hunk to hunk.
        end_row = row == first and math.min(math.max(first + lines - 1, 1), count) - 1 or nil,
        end_col = row == first and 0 or nil,
      })
    end
  end
end

---@param chat codex-chat.Chat
---@param buf integer
---@param is_less? boolean whether no line can get a sign that has none: the user may have written since
local function show(chat, buf, is_less)
  local path = api.nvim_buf_get_name(buf)
  local changes = unseen[chat]
  local file = changes and changes.files[path]
  if not file then
    api.nvim_buf_clear_namespace(buf, ns, 0, -1)
    return
  end
  files.before({ chat = chat, left = changes.left } --[[@as any]], file, function(bytes, err)
    if err or unseen[chat] ~= changes or not api.nvim_buf_is_loaded(buf) then
      return
    elseif bytes and text.is_binary(bytes) then
      return
    end
    local before = bytes and text.lines(bytes, text.form_of(buf)) or {}
    local now = api.nvim_buf_get_lines(buf, 0, -1, false)
    put(buf, hunks.diff(before, now), is_less and signed(buf) or nil)
    M.arrived(buf)
  end)
end

--- The conversation that a path's signs come from.
---@param path string
---@return codex-chat.Chat?
local function chat_of(path)
  for chat, changes in pairs(unseen) do
    if changes.files[path] and registry.get(chat.buf) == chat then
      return chat
    end
  end
end

---@param chat codex-chat.Chat
---@param is_less? boolean
local function show_all(chat, is_less)
  for _, buf in ipairs(api.nvim_list_bufs()) do
    local name = api.nvim_buf_is_loaded(buf)
      and vim.bo[buf].buftype == ""
      and api.nvim_buf_get_name(buf)
    if name and vim.startswith(name, chat.root .. "/") then
      show(chat, buf, is_less)
    end
  end
end

--- Asks the host what nobody has accepted yet, and sets the signs.
---@param chat codex-chat.Chat
---@param is_less? boolean whether something was decided, and no turn has ended
function M.update(chat, is_less)
  files.list(chat, { since = "all", quick = true }, function(changes, err)
    if err or registry.get(chat.buf) ~= chat then
      return
    end
    local kept = { left = changes.left, files = {} }
    for _, file in ipairs(files.of(chat, changes)) do
      if file.group == "files" then
        kept.files[file.path] = file
      end
    end
    unseen[chat] = kept
    chat.unseen = vim.tbl_count(kept.files)
    show_all(chat, is_less)
    require("codex-chat.ui.statusline").forget()
    require("codex-chat.ui.statusline").redraw()
    events.emit("ReviewChanged", {
      buf = chat.buf,
      root = chat.root,
      paths = vim.tbl_keys(kept.files),
    })
  end)
end

--- What a file of a project held before Codex changed it, as far as nobody has accepted it: its whole text,
--- or nil where there is no such change.
---@param path string absolute
---@param callback fun(reference?: string)
function M.reference(path, callback)
  local chat = chat_of(path)
  local changes = chat and unseen[chat]
  if not chat or not changes then
    callback(nil)
    return
  end
  files.before(
    { chat = chat, left = changes.left } --[[@as any]],
    changes.files[path],
    function(bytes, err)
      if err or (bytes and text.is_binary(bytes)) then
        callback(nil)
        return
      end
      local lines = bytes and text.lines(bytes, text.form_of(registry.find_name(path))) or {}
      callback(#lines == 0 and "" or table.concat(lines, "\n") .. "\n")
    end
  )
end

---@param buf integer
---@return integer[] rows of the hunks' first lines, 0-based
local function rows(buf)
  local found = {}
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buf, ns, 0, -1, { details = true })) do
    if mark[4].end_row and found[#found] ~= mark[2] then
      found[#found + 1] = mark[2]
    end
  end
  return found
end

--- The paths with changes, in order.
---@return string[]
local function paths()
  local found = {}
  for chat, changes in pairs(unseen) do
    if registry.get(chat.buf) == chat then
      vim.list_extend(found, vim.tbl_keys(changes.files))
    end
  end
  table.sort(found)
  return vim.tbl_filter(function(path)
    return vim.uv.fs_stat(path) ~= nil
  end, found)
end

---@param row integer
local function go(row)
  vim.cmd("normal! m'")
  api.nvim_win_set_cursor(0, { row + 1, 0 })
  vim.cmd("silent! normal! zv")
end

--- Where walking goes on once a file's signs have arrived.
---@type { buf: integer, step: 1|-1 }?
local going

--- Goes on to a file's first or last change.
---@param buf integer
function M.arrived(buf)
  local to = going
  if to and to.buf == buf and api.nvim_get_current_buf() == buf then
    going = nil
    local list = rows(buf)
    go((to.step == 1 and list[1] or list[#list]) or 0)
  end
end

--- Goes to the next or previous change that nobody has accepted: in this file, else in the next one.
---@param step 1|-1
function M.walk(step)
  local here = api.nvim_win_get_cursor(0)[1] - 1
  local list = rows(0)
  for i = step == 1 and 1 or #list, step == 1 and #list or 1, step do
    if (list[i] - here) * step > 0 then
      go(list[i])
      return
    end
  end
  local all = paths()
  if #all == 0 then
    say.info("Codex has made no change that you have not accepted.")
    return
  end
  local name = api.nvim_buf_get_name(0)
  local at = vim.iter(ipairs(all)):find(function(_, path)
    return path == name
  end)
  local index = at and (at - 1 + step) % #all + 1 or step == 1 and 1 or #all
  local path = all[index]
  if path ~= name then
    vim.cmd.edit(vim.fn.fnameescape(path))
  end
  going = { buf = api.nvim_get_current_buf(), step = step }
  -- Those of a file that has just been read are on their way.
  if #rows(0) > 0 then
    M.arrived(going.buf)
  end
end

local function define()
  for name, target in pairs(links) do
    api.nvim_set_hl(0, name, { link = target, default = true })
  end
end

--- Begins to set signs. Idempotent.
function M.begin()
  local group = events.first_group("unseen")
  if not group then
    return
  end
  define()
  api.nvim_create_autocmd("ColorScheme", { group = group, callback = define })
  events.hook("TurnEnded", function(data)
    local chat = registry.get(data.buf)
    if chat then
      M.update(chat)
    end
  end)
  events.hook("Closed", function(data)
    for chat in pairs(unseen) do
      if chat.buf == data.buf then
        unseen[chat] = nil
      end
    end
  end)
  api.nvim_create_autocmd("BufReadPost", {
    group = group,
    callback = function(args)
      local chat = chat_of(api.nvim_buf_get_name(args.buf))
      if chat then
        show(chat, args.buf)
      end
    end,
  })
end

return M
