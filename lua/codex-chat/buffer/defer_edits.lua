--- Defers the host's edits while the user is in the middle of a command that remembers rows.
---
--- Between `d` and its motion, Neovim remembers the row where the operator started; while text is
--- inserted into a block (`<C-v>jjI`), the rows that get it at the end; while a pattern is typed with
--- 'incsearch', the row to return to. A plugin that waits for a key in `getchar()` remembers the places
--- that it has labelled. None of these rows moves when lines are inserted above. Nor does the row where
--- insert completion started, from which Neovim 0.12 deletes the typed text. Nothing else defers edits:
--- not plain typing, not an open selection, not a command line that names no rows.
local M = {}

local api = vim.api

--- Events that may end such a command; SafeState means that Neovim waits for a key with nothing
--- pending.
local ends = {
  "SafeState",
  "ModeChanged",
  "CmdlineLeave",
  "BufLeave",
  "CompleteDone",
  "InsertLeave",
  "CursorMovedI",
}

--- Completion menus, which remember rows as well. `complete/menus.lua` is above this module and fills
--- this in.
---@type { is_open: fun(buf: integer): boolean, watch: fun(buf: integer, resume: fun(): boolean) }
M.menus = {
  is_open = function()
    return false
  end,
  watch = function() end,
}

--- Whether insert mode was last entered from a block of text.
local from_block = false

--- Starts to tell inserts into a block from others. Idempotent.
function M.begin()
  api.nvim_create_autocmd("ModeChanged", {
    group = api.nvim_create_augroup("codex-chat.buffer.defer_edits", {}),
    pattern = "*:[iR]*",
    callback = function()
      -- A mode that ends in CTRL-V or CTRL-S: a visual block, also in select mode or by a forced
      -- motion.
      from_block = vim.v.event.old_mode:find("[\22\19]$") ~= nil
    end,
  })
end

--- Whether text is being inserted into a block, whose other lines get it at the end.
---@return boolean
function M.in_block()
  return from_block and vim.fn.state("o") ~= ""
end

--- Whether this Ex command shows a preview while it is typed, or names rows by their numbers.
---@param line string
---@return boolean
local function holds_rows(line)
  if line:find("^[^%a]*%d") then
    return true
  end
  for _, command in ipairs({ "mo?v?e?", "t", "cop?y?" }) do
    if line:find("%f[%a]" .. command .. "%s*%d") then
      return true
    end
  end
  -- `:s/`, `:g/` and similar search while they are typed, and `:s` shows a preview.
  local shows = vim.o.incsearch or vim.o.inccommand ~= ""
  return shows and line:match("[sgv]%a*!?[^%w%s\"|_'<>,;.$]") ~= nil
end

--- Whether rows must not move, because of the user's command in this buffer.
---@param buf integer
---@return boolean
function M.is_busy(buf)
  if api.nvim_get_current_buf() ~= buf then
    return false
  end
  if M.menus.is_open(buf) then
    return true
  end
  local mode = api.nvim_get_mode().mode
  local first = mode:sub(1, 1)
  local state = vim.fn.state("oS")
  if first == "i" or first == "R" then
    return mode:match("^.[cx]") ~= nil or state:find("S", 1, true) ~= nil or M.in_block()
  end
  -- An operator or a register waits for the rest, something waits for one key, or a selection waits for
  -- the text that replaces it: Neovim has no way to move the selection's other end.
  if state ~= "" or mode:sub(1, 2) == "no" or first:find("[rsS\19]") then
    return true
  end
  if first ~= "c" then
    return false
  end
  local kind = vim.fn.getcmdtype()
  if kind == ":" then
    return holds_rows(vim.fn.getcmdline())
  end
  -- The place of an expression or an answer, such as <C-r>= in insert mode, is already remembered.
  return kind == "=" or kind == "@" or vim.o.incsearch and (kind == "/" or kind == "?")
end

---@param chat codex-chat.Chat
local function flush(chat)
  if M.is_busy(chat.buf) then
    return
  end
  local waiting = chat.delayed
  chat.delayed = {}
  local failed
  for _, fn in ipairs(waiting) do
    if api.nvim_buf_is_loaded(chat.buf) then
      local ok, err = xpcall(fn, debug.traceback)
      failed = failed or not ok and err or nil
    end
  end
  if failed then
    error(failed, 0)
  end
end

--- Runs `fn` now, or, in order, once the user's command is complete.
---@param chat codex-chat.Chat
---@param fn fun()
function M.run(chat, fn)
  if #chat.delayed == 0 and not M.is_busy(chat.buf) then
    fn()
    return
  end
  chat.delayed[#chat.delayed + 1] = fn
  if #chat.delayed > 1 then
    return
  end
  M.menus.watch(chat.buf, function()
    flush(chat)
    return #chat.delayed == 0
  end)
  local id
  id = api.nvim_create_autocmd(ends, {
    group = chat.augroup,
    callback = function()
      vim.schedule(function()
        flush(chat)
        if #chat.delayed == 0 and id then
          pcall(api.nvim_del_autocmd, id)
          id = nil
        end
      end)
    end,
  })
end

return M
