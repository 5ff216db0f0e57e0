--- Which conversations there are, of this project or of all, and whose they are. Reads in worker
--- threads; needs no host.
local M = {}

local pool = require("codex-chat.threads.pool")
local projects = require("codex-chat.project")

--- How many files, and how many bytes of them, a thread reads at a time.
local batch_files, batch_bytes = 100, 8 * 1024 * 1024
--- How many are made entries of the list before the editor gets a turn.
local slice = 1000

---@class (exact) codex-chat.ThreadSummary
---@field path string
---@field root string? the project's directory; nil where it is not known
---@field thread string?
---@field name string the user's name for it, else its first query, else the file's name
---@field query string a title for the first query; empty where there is none
---@field turns integer answers so far
---@field more boolean whether there are more than were counted
---@field mtime number seconds since 1970
---@field archived boolean
---@field problem string? why it cannot be read

---@class (exact) codex-chat.ThreadPlace a directory with conversations
---@field dir string
---@field root string? the project that all in it belong to
---@field state string? the project's state directory, where the front matter says which project it is
---@field shared boolean? whether any project's conversations lie there
---@field archived boolean

--- The place itself, or its archive.
---@param place codex-chat.ThreadPlace
---@param archived? boolean
---@return codex-chat.ThreadPlace
local function placed(place, archived)
  if archived then
    place.dir = place.dir .. "/archive"
  end
  place.archived = archived or false
  return place
end

--- Where this project's conversations lie.
---@param project codex-chat.Project
---@param archived? boolean
---@return codex-chat.ThreadPlace[]
local function own_places(project, archived)
  local config = require("codex-chat.config").get()
  local state = project.dir .. "/chats"
  local found = { placed({ dir = state, root = project.root }, archived) }
  if project.chats ~= state then
    local history = vim.fn.expand(config.history_dir)
    -- SECURITY: what lies in a project its agent may have written: it is that project's own.
    local shared = history:sub(1, 1) == "/"
      and not vim.startswith(project.chats .. "/", project.root .. "/")
    local root = not shared and project.root or nil
    table.insert(found, 1, placed({ dir = project.chats, root = root, shared = shared }, archived))
  end
  return found
end

---@param project codex-chat.Project the one that the user is in
---@param known { dir: string, root: string? }[]
---@param archived? boolean
---@return codex-chat.ThreadPlace[]
local function all_places(project, known, archived)
  local found = own_places(project, archived)
  for _, it in ipairs(known) do
    if it.dir ~= project.dir then
      found[#found + 1] = placed({ dir = it.dir .. "/chats", state = it.dir }, archived)
      local other = it.root and projects.at(it.root)
      if other and other.dir == it.dir and vim.startswith(other.chats, it.root .. "/") then
        found[#found + 1] = placed({ dir = other.chats, root = it.root }, archived)
      end
    end
  end
  return found
end

---@type table<string, { dir: string, exists: boolean }> state directories by root, while listing
local states = {}

---@param root string
---@return { dir: string, exists: boolean }
local function state_of(root)
  local state = states[root]
  if not state then
    local dir = projects.at(root).dir
    state = { dir = dir, exists = vim.uv.fs_stat(dir) ~= nil }
    states[root] = state
  end
  return state
end

--- Whose conversation it is.
---
--- SECURITY: the front matter may have been written by an agent, and must not choose what the next
--- agent reaches: it is believed only where the place says the same, or where no agent writes.
---@param place codex-chat.ThreadPlace
---@param claimed string? what the front matter says
---@return string? root
local function owner(place, claimed)
  if place.root then
    return place.root
  end
  if not claimed or claimed:sub(1, 1) ~= "/" then
    return nil
  end
  local state = state_of(claimed)
  if place.state then
    return state.dir == place.state and claimed or nil
  end
  return state.exists and claimed or nil
end

---@type table<string, { ctime: number, size: integer, head: table }> by path
local cache = {}

---@param files codex-chat.ListedFile[]
---@param paths string[]
---@return integer[][] batches of indices of those that the cache does not have
local function batches_of(files, paths)
  local batches, bytes = { {} }, 0
  for n, file in ipairs(files) do
    local kept = cache[paths[n]]
    if not kept or kept.ctime ~= file.ctime or kept.size ~= file.size then
      local batch = batches[#batches]
      if #batch >= batch_files or (#batch > 0 and bytes + file.size > batch_bytes) then
        batch, bytes = {}, 0
        batches[#batches + 1] = batch
      end
      batch[#batch + 1] = n
      bytes = bytes + file.size
    end
  end
  return batches[1][1] and batches or {}
end

---@param place codex-chat.ThreadPlace
---@param file codex-chat.ListedFile
---@param head table
---@return codex-chat.ThreadSummary
local function summary_of(place, file, head)
  local name = head.name and require("codex-chat.threads.title").clean(head.name) or ""
  if name == "" then
    name = head.query or file.name:gsub("%.md$", ""):gsub("%c", " ")
  end
  return {
    path = place.dir .. "/" .. file.name,
    root = owner(place, head.project),
    thread = head.thread,
    name = name,
    query = head.query or "",
    turns = head.turns or 0,
    more = head.more or false,
    mtime = file.mtime,
    archived = place.archived,
    problem = head.err,
  }
end

---@class (exact) codex-chat.ThreadsWanted
---@field all? boolean of all projects
---@field archived? boolean those in the archive instead of those outside

--- Where conversations lie.
---@param wanted codex-chat.ThreadsWanted
---@param done fun(places: codex-chat.ThreadPlace[])
function M.places(wanted, done)
  states = {}
  local project = projects.of_buf()
  if not wanted.all then
    done(own_places(project, wanted.archived))
    return
  end
  local state = require("codex-chat.config").get().state_dir .. "/projects"
  pool.run("worker", "projects", { state }, {
    on_batch = function(_, known)
      done(all_places(project, known, wanted.archived))
    end,
    on_end = function(err)
      if err then
        done(own_places(project, wanted.archived))
      end
    end,
  })
end

--- The files of conversations, the one written last first.
---@param places codex-chat.ThreadPlace[]
---@param done fun(files: codex-chat.ListedFile[], paths: string[], problems: string[])
function M.files(places, done)
  local dirs = vim.tbl_map(function(place)
    return place.dir
  end, places)
  local listed = { files = {}, problems = {} }
  pool.run("worker", "list", { dirs }, {
    on_batch = function(_, result)
      listed = result
    end,
    on_end = function(err)
      local paths = {}
      for n, file in ipairs(listed.files) do
        paths[n] = dirs[file.dir] .. "/" .. file.name
      end
      if err then
        table.insert(listed.problems, err)
      end
      done(listed.files, paths, listed.problems)
    end,
  })
end

--- What a conversation's own text tells, which its file may not have yet.
---@param chat codex-chat.Chat
---@return codex-chat.Head
local function head_of(chat)
  local lines = vim.api.nvim_buf_get_lines(chat.buf, 0, 300, false)
  local title = require("codex-chat.threads.title")
  return require("codex-chat.threads.worker").head_of(lines, title)
end

--- The conversation as a list would show it, but for the number of its turns.
---@param chat codex-chat.Chat
---@return codex-chat.ThreadSummary
function M.of_chat(chat)
  local dir, name = vim.fs.dirname(chat.path), vim.fs.basename(chat.path)
  local archived = vim.fs.basename(dir) == "archive"
  ---@type codex-chat.ListedFile
  local file = { dir = 1, name = name, mtime = os.time(), ctime = 0, size = 0 }
  return summary_of({ dir = dir, root = chat.root, archived = archived }, file, head_of(chat))
end

--- The heads of conversations that are open here, by path.
---@return table<string, codex-chat.Head>
local function open_heads()
  local heads = {}
  for _, chat in ipairs(require("codex-chat.registry").all()) do
    if vim.api.nvim_buf_is_loaded(chat.buf) then
      heads[chat.path] = head_of(chat)
    end
  end
  return heads
end

--- Reads what is told of the conversations in these places.
---@param places codex-chat.ThreadPlace[]
---@param done fun(found: { file: codex-chat.ListedFile, summary: codex-chat.ThreadSummary }[], problems: string[])
---@param is_over? fun(): boolean whether nobody waits for it any more
local function read(places, done, is_over)
  M.files(places, function(files, paths, problems)
    local batches = batches_of(files, paths)
    local arguments = vim.tbl_map(function(batch)
      return vim.tbl_map(function(n)
        return paths[n]
      end, batch)
    end, batches)
    pool.run("worker", "heads", arguments, {
      on_batch = function(b, heads)
        for i, n in ipairs(batches[b]) do
          local file = files[n]
          cache[paths[n]] = { ctime = file.ctime, size = file.size, head = heads[i] }
        end
        return is_over and is_over()
      end,
      on_end = function(err)
        problems[#problems + 1] = err
        local found, heads = {}, open_heads()
        local function take(from)
          for n = from, math.min(from + slice - 1, #files) do
            local file, kept = files[n], cache[paths[n]]
            if kept then
              local summary = summary_of(places[file.dir], file, kept.head)
              if heads[paths[n]] then
                local now = summary_of(places[file.dir], file, heads[paths[n]])
                summary.name, summary.query, summary.thread = now.name, now.query, now.thread
              end
              found[#found + 1] = { file = file, summary = summary }
            end
          end
          if from + slice > #files then
            done(found, problems)
          else
            vim.schedule(function()
              take(from + slice)
            end)
          end
        end
        take(1)
      end,
    })
  end)
end

--- The files of conversations in and outside of archives, the one written last first.
---@param wanted codex-chat.ThreadsWanted
---@param done fun(files: codex-chat.ListedFile[], paths: string[], problems: string[])
function M.both(wanted, done)
  local own = projects.of_buf().root
  M.places({ all = wanted.all }, function(places)
    for n = 1, #places do
      places[#places + 1] = placed(vim.deepcopy(places[n]), true)
    end
    local shared = vim.iter(places):any(function(place)
      return place.shared
    end)
    if wanted.all or not shared then
      M.files(places, done)
      return
    end
    -- Only the front matter tells which of them are this project's.
    read(places, function(found, problems)
      local files, paths = {}, {}
      for _, it in ipairs(found) do
        if (it.summary.root or own) == own then
          files[#files + 1] = it.file
          paths[#paths + 1] = it.summary.path
        end
      end
      done(files, paths, problems)
    end)
  end)
end

local latest = 0

--- Reads what a list shows of all conversations, the one written last first. Of several calls only
--- the last is answered.
---@param wanted codex-chat.ThreadsWanted
---@param done fun(summaries: codex-chat.ThreadSummary[], problems: string[])
function M.read(wanted, done)
  latest = latest + 1
  local mine = latest
  local function is_over()
    return mine ~= latest
  end
  local own = projects.of_buf().root
  M.places(wanted, function(places)
    read(places, function(found, problems)
      if is_over() then
        return
      end
      local summaries = {}
      for _, it in ipairs(found) do
        local shared = places[it.file.dir].shared
        if wanted.all or not shared or (it.summary.root or own) == own then
          summaries[#summaries + 1] = it.summary
        end
      end
      done(summaries, problems)
    end, is_over)
  end)
end

return M
