-- Commands and mappings; no module is loaded until one of them is used.
if vim.g.loaded_codex_chat then
  return
end
vim.g.loaded_codex_chat = true

if vim.fn.has("nvim-0.10.4") == 0 then
  vim.api.nvim_create_user_command("CodexChat", function()
    local v = vim.version()
    vim.notify(
      ("codex-chat needs Neovim 0.10.4 or newer; this is %d.%d.%d. Update Neovim and try again."):format(
        v.major,
        v.minor,
        v.patch
      ),
      vim.log.levels.ERROR
    )
  end, { nargs = "*", range = true })
  return
end

dofile(debug.getinfo(1, "S").source:match("^@(.*)/plugin/") .. "/lua/codex-chat/loader.lua")

vim.api.nvim_create_user_command("CodexChat", function(args)
  require("codex-chat.commands").run(args)
end, {
  nargs = "*",
  range = true,
  bang = true,
  bar = false,
  desc = "Chat with Codex; see :help :CodexChat",
  complete = function(lead, line, pos)
    return require("codex-chat.commands").complete(lead, line, pos)
  end,
})

local set_keymap = vim.api.nvim_set_keymap
local opts = { noremap = true }
local normal = { "n" }
local modes = { send = { "n", "i", "x" }, queue = { "n", "i" }, stop = { "n", "i" } }
for name in
  (
    "open toggle new send queue stop retry fork revert undo redo diff compact review model approvals plan goal threads "
    .. "search rename archive unarchive delete terminals diagnostics preview prompt setup status network commits mcp log "
    .. "login logout accept accept-session accept-project decline cancel answer question patch help follow-or-send"
  ):gmatch("%S+")
do
  opts.desc = "codex-chat: " .. name
  opts.callback = function()
    require("codex-chat.commands").plug(name)
  end
  -- Not vim.keymap.set(), which checks and copies all this for each of them.
  for _, mode in ipairs(modes[name] or normal) do
    set_keymap(mode, "<Plug>(codex-chat-" .. name .. ")", "", opts)
  end
end
for name in
  ("accept reject comment accept-file reject-file undo next prev send open close help"):gmatch(
    "%S+"
  )
do
  opts.desc = "codex-chat: review: " .. name
  opts.callback = function()
    require("codex-chat.commands.changes.diff").plug(name)
  end
  -- For all modes but insert mode in one call, which takes a third of the time of three.
  set_keymap("", "<Plug>(codex-chat-review-" .. name .. ")", "", opts)
end
for name in
  (
    "next-turn prev-turn follow follow-split follow-tab outline yank-code open-link next-question prev-question "
    .. "show-keys recall-prev recall-next"
  ):gmatch("%S+")
do
  opts.desc = "codex-chat: " .. name
  opts.callback = function()
    require("codex-chat.chat.keys").run(name)
  end
  local mode = name:sub(1, 6) == "recall" and "i" or ""
  set_keymap(mode, "<Plug>(codex-chat-" .. name .. ")", "", opts)
end
for name, step in pairs({ next = 1, prev = -1 }) do
  opts.desc = "codex-chat: go to a change that you have not accepted"
  opts.callback = function()
    require("codex-chat.review.signs").walk(step)
  end
  set_keymap("n", "<Plug>(codex-chat-unseen-" .. name .. ")", "", opts)
end
opts.desc, opts.callback = "codex-chat: put the whole buffer into the prompt", nil
set_keymap("n", "<Plug>(codex-chat-send-buffer)", "<Cmd>%CodexChat send<CR>", opts)

---@return table
local function user()
  local set = vim.g.codex_chat
  return type(set) == "table" and set or {}
end

--- Where conversations are, as far as that is known without loading the plugin.
---@return string dir
---@return string real without links, as Neovim names a buffer once its directory exists
local function state_dir()
  local dir = user().state_dir
  dir = type(dir) == "string" and vim.fn.expand(dir) or vim.fn.stdpath("state") .. "/codex-chat"
  dir = vim.fn.fnamemodify(dir, ":p"):gsub("/$", "")
  -- Few paths need it, and to load vim.fs takes as long as all the rest of this file.
  if dir:find("//", 1, true) or (dir .. "/"):find("/%.%.?/") then
    dir = vim.fs.normalize(dir, { expand_env = false }):gsub("/$", "")
  end
  return dir, vim.uv.fs_realpath(dir) or dir
end

-- The plugin itself reads a conversation that a session file or `:edit` names: so no modeline in the
-- model's text is ever obeyed, and the buffer is a chat at once.
local group = vim.api.nvim_create_augroup("codex-chat.read", {})
local reads_in ---@type string
local function read_here()
  local dir, real = state_dir()
  if dir == reads_in then
    return
  end
  reads_in = dir
  local function pattern_in(path)
    return vim.fn.escape(path, "*?[]{},\\ ") .. "/projects/*/chats/*.md"
  end
  vim.api.nvim_create_autocmd("BufReadCmd", {
    group = group,
    pattern = { pattern_in(dir), pattern_in(real) },
    desc = "codex-chat: read a conversation",
    callback = function(args)
      require("codex-chat.chat.read").read(args.buf)
    end,
  })
end
read_here()
-- The configuration may be set after the line that loads the plugin.
vim.api.nvim_create_autocmd("VimEnter", { group = group, once = true, callback = read_here })

-- A session restores only the name of a chat's buffer, and Neovim itself has read conversations in
-- other directories: such a buffer becomes the conversation when it is first named, read or entered.
local function is_in_state(path)
  local dir, real = state_dir()
  return vim.startswith(path, dir) or vim.startswith(path, real)
end
local function may_be(path)
  return path:sub(-3) == ".md"
    and (
      package.loaded["codex-chat.config"] ~= nil
      or user().history_dir ~= nil
      or is_in_state(path)
    )
end
vim.api.nvim_create_autocmd({ "BufEnter", "BufFilePost", "BufReadPost" }, {
  group = group,
  pattern = "*.md",
  desc = "codex-chat: find conversations among the buffers",
  callback = function(args)
    if may_be(vim.api.nvim_buf_get_name(args.buf)) then
      require("codex-chat.chat.adopt").on_buffer(args)
    end
  end,
})
local function find_all()
  if vim.fn.bufexists("codex-chat://review") == 1 then
    require("codex-chat.review.session").loaded()
  end
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if may_be(vim.api.nvim_buf_get_name(buf)) then
      require("codex-chat.chat.adopt").all()
      return
    end
  end
end
vim.api.nvim_create_autocmd("SessionLoadPost", {
  group = group,
  desc = "codex-chat: find conversations among the buffers of a session",
  callback = vim.schedule_wrap(find_all),
})
find_all()
