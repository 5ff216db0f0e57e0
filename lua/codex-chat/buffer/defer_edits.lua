--- Keeps machine edits back while the user is in the middle of a command that remembers rows.
---
--- After `d` and before its motion, Neovim holds the row where the operator began; while text is
--- inserted into a block (`<C-v>jjI`), the rows that get it at the end; while a pattern is typed with
--- 'incsearch', the row to return to; and a plugin that waits for a key in `getchar()` the places that
--- it has labelled. None of them moves when lines come in above. Nor does the row where insert
--- completion began, from which Neovim 0.12 deletes what was typed. Everything else goes on: plain
--- typing, a selection that stands open, and a command line that names no rows.
local M = {}

local api = vim.api

--- What may end such a command; SafeState is raised when Neovim waits for a key with nothing pending.
local ends = {
  "SafeState",
  "ModeChanged",
  "CmdlineLeave",
  "BufLeave",
  "CompleteDone",
  "InsertLeave",
  "CursorMovedI",
}

--- Menus of completion, which hold rows, too. `complete/menus.lua` is above this module and fills it in.
---@type { is_open: fun(buf: integer): boolean, watch: fun(buf: integer, resume: fun(): boolean) }
M.menus = {
  is_open = function()
    return false
  end,
  watch = function() end,
}

--- Whether insert mode was last entered from a block of text.
local from_block = false

--- Begins to tell inserts into a block from others; again is no harm.
function M.begin()
  api.nvim_create_autocmd("ModeChanged", {
    group = api.nvim_create_augroup("codex-chat.buffer.defer_edits", {}),
    pattern = "*:[iR]*",
    callback = function()
      -- Ends in CTRL-V or CTRL-S: a visual block, one in select mode, or a motion that was made one.
      from_block = vim.v.event.old_mode:find("[\22\19]$") ~= nil
    end,
  })
end

--- Whether text is being inserted into a block, which comes to its other lines at the end.
---@return boolean
function M.in_block()
  return from_block and vim.fn.state("o") ~= ""
end

--- Whether this Ex command, while it is typed, is shown at work or names rows by their numbers.
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
  -- `:s/`, `:g/` and their like search while they are typed, and `:s` shows what it would do.
  local shows = vim.o.incsearch or vim.o.inccommand ~= ""
  return shows and line:match("[sgv]%a*!?[^%w%s\"|_'<>,;.$]") ~= nil
end

--- Whether the user's command in this buffer must not have rows moved under it.
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
  -- An operator or a register waits for the rest, something waits for one key, or a selection for the
  -- text that replaces it: Neovim gives no way to move its other end.
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
  -- What an expression or an answer is for, such as <C-r>= in insert mode, has its place already.
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

--- Runs `fn` now, or in order once the user's command is complete.
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
