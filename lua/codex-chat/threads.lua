--- The conversations of a project, or of all: listing, opening, renaming, archiving, deleting.
local M = {}

local registry = require("codex-chat.registry")

---@param message string
local function say(message)
  vim.notify("codex-chat: " .. message)
end

---@param message string
local function complain(message)
  vim.notify("codex-chat: " .. message, vim.log.levels.ERROR)
end

--- 90 → "1 min", for lists.
---@param seconds integer
---@return string
local function age(seconds)
  local units = { { 86400 * 365, "y" }, { 86400, "d" }, { 3600, "h" }, { 60, "min" } }
  for _, unit in ipairs(units) do
    if seconds >= unit[1] then
      return ("%d %s"):format(math.floor(seconds / unit[1]), unit[2])
    end
  end
  return "now"
end

---@param path string
---@return codex-chat.Chat?
local function open_chat(path)
  for _, chat in ipairs(registry.all()) do
    if chat.path == path then
      return chat
    end
  end
end

---@param path string
---@return boolean
local function is_elsewhere(path)
  return require("codex-chat.project").is_locked(path, require("codex-chat.host").pid())
end

--- Paths of conversations, the one written last first.
---@param where { all?: boolean, archived?: boolean }
---@return string[]
local function paths_of(where)
  local projects = require("codex-chat.project")
  local dirs = {}
  if where.all then
    local state = require("codex-chat.config").get().state_dir .. "/projects"
    for name, kind in vim.fs.dir(state) do
      if kind == "directory" then
        dirs[#dirs + 1] = ("%s/%s/chats"):format(state, name)
      end
    end
  end
  -- With `history_dir`, this project's own are elsewhere.
  local own = projects.of_buf().chats
  if not vim.list_contains(dirs, own) then
    dirs[#dirs + 1] = own
  end
  local found = {}
  for _, dir in ipairs(dirs) do
    vim.list_extend(
      found,
      projects.list_chats({
        root = "",
        dir = "",
        chats = where.archived and dir .. "/archive" or dir,
      })
    )
  end
  return found
end

---@param where { all?: boolean }
---@return fun(summary: codex-chat.ThreadSummary): string
local function formatter(where)
  local now = os.time()
  return function(it)
    local parts = {
      ("%s · %s%d turn%s"):format(
        age(now - it.mtime),
        it.more and "over " or "",
        it.turns,
        it.turns == 1 and "" or "s"
      ),
    }
    if where.all and it.project then
      table.insert(parts, 1, vim.fs.basename(it.project))
    end
    if it.query ~= "" and it.query ~= it.name then
      parts[#parts + 1] = it.query
    end
    if it.archived then
      parts[#parts + 1] = "archived"
    end
    if open_chat(it.path) then
      parts[#parts + 1] = "open"
    elseif is_elsewhere(it.path) then
      parts[#parts + 1] = "open in another Neovim"
    end
    return ("%s  (%s)"):format(it.name, table.concat(parts, " · "))
  end
end

--- Opens a conversation, as a chat of the project that it belongs to.
---@param summary codex-chat.ThreadSummary
function M.open(summary)
  local path = summary.path
  if not vim.uv.fs_stat(path) then
    complain(("%s is gone."):format(path))
    return
  end
  if is_elsewhere(path) then
    complain(("%s is open in another Neovim."):format(vim.fs.basename(path)))
    return
  end
  local projects = require("codex-chat.project")
  local root = summary.project
  local project = projects.of_buf()
  if root and root ~= project.root then
    if not vim.uv.fs_stat(root) then
      complain(("its project %s is gone; the text is in %s."):format(root, path))
      return
    end
    project = projects.at(root)
  end
  local chats = require("codex-chat.chat")
  local shown = registry.get(0) or chats.current(project.root)
  local chat = chats.load(path, project)
  local window = require("codex-chat.window")
  local win = shown and window.find(shown.buf)
  if win and shown ~= chat then
    vim.api.nvim_set_current_win(win)
    vim.api.nvim_win_set_buf(win, chat.buf)
    require("codex-chat.prompt").enter(chat, win)
  end
  chats.show(chat)
end

--- Puts `name` into the front matter.
---@param path string
---@param name string
function M.rename(path, name)
  local document = require("codex-chat.document")
  local clean = require("codex-chat.threads.summary").title(name)
  if clean == "" then
    complain("a name needs at least one letter.")
    return
  end
  if is_elsewhere(path) then
    complain("this conversation is open in another Neovim, which writes it; rename it there.")
    return
  end
  local chat = open_chat(path)
  if chat and vim.api.nvim_buf_is_loaded(chat.buf) then
    local blocks = require("codex-chat.blocks")
    local head =
      vim.api.nvim_buf_get_lines(chat.buf, 0, math.min(100, blocks.prompt_row(chat)), false)
    blocks.machine(chat, function()
      for _, change in ipairs(document.meta_changes(head, { name = clean })) do
        blocks.splice(chat, change.row, change.count, change.lines)
      end
    end)
    say(("this conversation is named “%s”."):format(clean))
    return
  end
  local lines, err = document.read(path)
  if not lines then
    complain(err or (path .. " cannot be read."))
    return
  end
  for _, change in ipairs(document.meta_changes(vim.list_slice(lines, 1, 100), { name = clean })) do
    for _ = 1, change.count do
      table.remove(lines, change.row + 1)
    end
    for i = #change.lines, 1, -1 do
      table.insert(lines, change.row + 1, change.lines[i])
    end
  end
  local ok, why = document.write(path, lines)
  if ok then
    say(("it is named “%s”."):format(clean))
  else
    complain(("%s was not written: %s"):format(path, why))
  end
end

--- Closes the conversation here, so that its file can go. False, with a message, where it must stay.
---@param path string
---@return boolean
local function let_go(path)
  if is_elsewhere(path) then
    complain("this conversation is open in another Neovim; close it there first.")
    return false
  end
  local chat = open_chat(path)
  if not chat then
    return true
  end
  if vim.list_contains({ "starting", "running", "waiting" }, chat.state.phase) then
    complain("a turn is running in it. Wait for its end, or stop it with :CodexChat stop.")
    return false
  end
  require("codex-chat.buffer").save(chat)
  require("codex-chat.buffer").close(chat)
  require("codex-chat.window").close(chat)
  pcall(vim.api.nvim_buf_delete, chat.buf, { force = true })
  return true
end

--- Moves the file into or out of `archive/` beside the others.
---@param path string
---@param back? boolean
function M.archive(path, back)
  if not let_go(path) then
    return
  end
  local dir, name = vim.fs.dirname(path), vim.fs.basename(path)
  local to = back and vim.fs.dirname(dir) or (dir .. "/archive")
  vim.fn.mkdir(to, "p", tonumber("700", 8))
  local target, n = to .. "/" .. name, 1
  while vim.uv.fs_stat(target) do
    n = n + 1
    target = ("%s/%s-%d.md"):format(to, name:gsub("%.md$", ""), n)
  end
  -- The host may still be writing what the buffer held.
  local function move(tries)
    if tries > 0 and vim.uv.fs_stat(path .. ".lock") then
      vim.defer_fn(function()
        move(tries - 1)
      end, 50)
      return
    end
    local ok, err = vim.uv.fs_rename(path, target)
    if ok then
      say(
        back and "it is among the others again."
          or "archived. `:CodexChat threads archived` lists it."
      )
    else
      complain(("it was not moved: %s"):format(err))
    end
  end
  move(40)
end

--- What Codex itself remembers of a thread: files in its home whose names hold the thread's id.
---@param summary codex-chat.ThreadSummary
---@return string[]
local function memory_of(summary)
  local id = summary.thread
  if not id or not id:match("^%x+%-[%x-]+$") or not summary.project then
    return {}
  end
  local home = require("codex-chat.project").at(summary.project).dir .. "/codex-home"
  return vim.fs.find(function(name)
    return name:find(id, 1, true) ~= nil
  end, { path = home, type = "file", limit = 100 })
end

--- Deletes the file and what Codex remembers, once that is confirmed.
---@param summary codex-chat.ThreadSummary
function M.delete(summary)
  vim.ui.select({ "Delete", "Keep" }, {
    prompt = ("Delete “%s” and Codex's memory of it for ever?"):format(summary.name),
    kind = "codex-chat-delete",
  }, function(choice)
    if choice ~= "Delete" or not let_go(summary.path) then
      return
    end
    local function remove(tries)
      if tries > 0 and vim.uv.fs_stat(summary.path .. ".lock") then
        vim.defer_fn(function()
          remove(tries - 1)
        end, 50)
        return
      end
      for _, path in ipairs(memory_of(summary)) do
        vim.uv.fs_unlink(path)
      end
      local ok, err = vim.uv.fs_unlink(summary.path)
      if ok or not vim.uv.fs_stat(summary.path) then
        say("deleted.")
      else
        complain(("it was not deleted: %s"):format(err))
      end
    end
    remove(40)
  end)
end

local tasks = {
  open = { prompt = "Conversation", run = M.open },
  rename = {
    prompt = "Rename which conversation?",
    run = function(summary)
      vim.ui.input({ prompt = "Name: ", default = summary.name }, function(name)
        if name and name ~= "" then
          M.rename(summary.path, name)
        end
      end)
    end,
  },
  archive = {
    prompt = "Archive which conversation?",
    run = function(summary)
      M.archive(summary.path)
    end,
  },
  delete = { prompt = "Delete which conversation?", run = M.delete },
  archived = {
    prompt = "Take which conversation out of the archive?",
    archived = true,
    run = function(summary)
      M.archive(summary.path, true)
    end,
  },
}

--- The words that `:CodexChat threads` takes.
M.tasks = { "open", "rename", "archive", "delete", "archived" }

--- `:CodexChat[!] threads [task]`: lists conversations, and does the task with the one picked.
---@param word string
---@param all boolean of all projects
function M.pick(word, all)
  local task = tasks[word == "" and "open" or word]
  if not task then
    complain(("`:CodexChat threads` takes %s."):format(table.concat(M.tasks, ", ")))
    return
  end
  local paths = paths_of({ all = all, archived = task.archived })
  require("codex-chat.threads.summary").read_all(paths, function(summaries)
    if #summaries == 0 then
      say(task.archived and "nothing is archived." or "there is no conversation yet.")
      return
    end
    table.sort(summaries, function(a, b)
      return a.mtime ~= b.mtime and a.mtime > b.mtime or (a.mtime == b.mtime and a.path > b.path)
    end)
    vim.ui.select(summaries, {
      prompt = task.prompt,
      kind = "codex-chat-thread",
      format_item = formatter({ all = all }),
    }, function(summary)
      if summary then
        task.run(summary)
      end
    end)
  end)
end

--- Does a task with the conversation that is open here.
---@param word "rename"|"archive"|"delete"
---@param rest string the name, for renaming
function M.current(word, rest)
  local chat = require("codex-chat.chat").here()
  if not chat then
    say("no conversation is open. :CodexChat opens one.")
    return
  end
  if word == "rename" and rest ~= "" then
    M.rename(chat.path, rest)
    return
  end
  local lines = vim.api.nvim_buf_get_lines(chat.buf, 0, 200, false)
  tasks[word].run(require("codex-chat.threads.summary").parse(table.concat(lines, "\n"), chat.path))
end

--- `:CodexChat[!] search {text}`: every line of all conversations that has the text, as a quickfix
--- list. Letters match whatever their case unless the text has a capital.
---@param text string
---@param all boolean
function M.search(text, all)
  if text == "" then
    complain("`:CodexChat search` needs a text.")
    return
  end
  local paths = paths_of({ all = all })
  vim.list_extend(paths, paths_of({ all = all, archived = true }))
  local exact = text:find("%u") ~= nil
  local wanted = exact and text or text:lower()
  local items, max_items = {}, 1000
  local function look(n)
    local path = paths[n]
    if not path or #items >= max_items then
      vim.fn.setqflist({}, " ", { title = "Conversations with: " .. text, items = items })
      if #items == 0 then
        say("no conversation has that text.")
      else
        vim.cmd("botright copen")
      end
      return
    end
    local file = io.open(path, "r")
    if file then
      local lnum = 0
      for line in file:lines() do
        lnum = lnum + 1
        if (exact and line or line:lower()):find(wanted, 1, true) then
          -- SECURITY: conversations hold what commands printed; a list shows control characters raw.
          items[#items + 1] =
            { filename = path, lnum = lnum, text = (line:sub(1, 300):gsub("%c", " ")) }
          if #items >= max_items then
            break
          end
        end
      end
      file:close()
    end
    -- Between two files, the editor lives.
    vim.schedule(function()
      look(n + 1)
    end)
  end
  look(1)
end

return M
