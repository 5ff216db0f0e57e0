--- `:CodexChat log` and `:CodexChat log audit`: the host's log, and a project's audit record.
local M = {}

local pages = require("codex-chat.ui.page")
local say = require("codex-chat.message")

local api = vim.api

--- How much of the record is shown; the file has all of it.
local MAX_BYTES = 512 * 1024

--- Opens a file for reading. SECURITY: it holds the agent's text, so modelines are switched off.
---@param path string
---@param filetype? string
local function open(path, filetype)
  local origin = pages.origin()
  local modeline = api.nvim_get_option_value("modeline", { scope = "global" })
  api.nvim_set_option_value("modeline", false, { scope = "global" })
  local ok, err = pcall(require("codex-chat.outside.runtime").without_projects, filetype, function()
    vim.cmd.split({ args = { vim.fn.fnameescape(path) } })
  end)
  api.nvim_set_option_value("modeline", modeline, { scope = "global" })
  if not ok then
    say.error(err)
    return
  end
  vim.bo.readonly = true
  if filetype then
    require("codex-chat.outside.runtime").set_filetype(api.nvim_get_current_buf(), filetype)
  end
  pages.closes(api.nvim_get_current_buf(), origin)
  vim.cmd("normal! G")
end

---@param value any
---@return string one printable line
local function plain(value)
  local text = type(value) == "string" and value or vim.json.encode(value)
  return vim.fn.strtrans(require("codex-chat.context.bounds").joined(text, " ⏎ "))
end

---@param ms any
---@return string?
local function seconds(ms)
  return type(ms) == "number" and ("%.1f s"):format(ms / 1000) or nil
end

---@param bytes any
---@param what string
---@return string?
local function size(bytes, what)
  if type(bytes) ~= "number" then
    return nil
  end
  return bytes < 10000 and ("%d bytes %s"):format(bytes, what)
    or ("%.0f kB %s"):format(bytes / 1000, what)
end

--- The parts of an entry's line, by its event; any of them may be missing.
---@type table<string, fun(entry: table): any[]>
local details = {
  command = function(entry)
    local exit = type(entry.exitCode) == "number" and ("exit %d"):format(entry.exitCode)
      or entry.status
    return { entry.command, exit, seconds(entry.ms), size(entry.outputBytes, "of output") }
  end,
  patch = function(entry)
    local files = vim.tbl_map(function(file)
      return type(file) == "table" and ("%s %s"):format(file.change, file.path) or file
    end, type(entry.files) == "table" and entry.files or {})
    return { table.concat(files, ", "), entry.status }
  end,
  approval = function(entry)
    local by = entry.by and ("by %s"):format(entry.by)
    return {
      entry.decision,
      by,
      ("%s: %s"):format(entry.asked, entry.about),
      entry.reason,
      seconds(entry.ms),
    }
  end,
  network = function(entry)
    local to = ("%s %s:%s"):format(entry.method or "to", entry.host, entry.port)
    local more = entry.omitted and ("%s more were not recorded"):format(entry.omitted)
    return {
      entry.decision,
      to,
      entry.by,
      entry.address,
      entry.reason,
      size(entry.bytesOut, "out"),
      more,
    }
  end,
  model_request = function(entry)
    local out, into = size(entry.bytesOut, "out"), size(entry.bytesIn, "in")
    return { entry.outcome, entry.status, entry.reason, out, into, seconds(entry.ms) }
  end,
  self_test = function(entry)
    local cached = entry.cached and "proven before" or nil
    return {
      entry.passed and "passed" or "FAILED",
      entry.runtime,
      entry.kernel,
      cached,
      entry.reason,
    }
  end,
  protected_file = function(entry)
    return { ("%s %s"):format(entry.path, entry.change), entry.what, entry.runs }
  end,
  git_transfer = function(entry)
    local commits = entry.commits and ("%s commits"):format(entry.commits)
    return { entry.outcome, entry.ref, commits, size(entry.bytes, ""), entry.reason }
  end,
  credential = function(entry)
    return { entry.action, entry.source, entry.reason }
  end,
  sandbox = function(entry)
    return { entry.action, entry.container, entry.runtime, entry.image, entry.reason }
  end,
  left_out = function(entry)
    return { ("%s of %s, beyond the limit per minute"):format(entry.lines, entry.of) }
  end,
  lost = function(entry)
    return { ("%s lines could not be written"):format(entry.lines) }
  end,
}

---@param line string of JSON
---@return string for a reader; the line itself if it is not an entry
local function shown_line(line)
  local decoded, entry = pcall(vim.json.decode, line)
  local detail = decoded and type(entry) == "table" and details[entry.event]
  local ok, list = pcall(detail or error, entry)
  if not ok then
    return plain(line)
  end
  local shown = {}
  for n = 1, table.maxn(list) do
    if list[n] ~= nil and list[n] ~= vim.NIL and list[n] ~= "" then
      shown[#shown + 1] = plain(list[n])
    end
  end
  local time = plain(entry.time or ""):gsub("T", " "):gsub("%.%d+Z$", "")
  return ("%-19s  %-14s  %s"):format(time, plain(entry.event or "?"), table.concat(shown, " · "))
end

--- The last complete lines of a file.
---@param path string
---@return string[]?
local function tail(path)
  local file = io.open(path, "r")
  if not file then
    return nil
  end
  local length = file:seek("end")
  file:seek("set", math.max(0, length - MAX_BYTES))
  local lines = vim.split(file:read("a"), "\n", { trimempty = true })
  file:close()
  if length > MAX_BYTES then
    table.remove(lines, 1)
  end
  return lines
end

---@param lines string[]
local function page(lines)
  local origin = pages.origin()
  vim.cmd("botright new")
  local buf = api.nvim_get_current_buf()
  local bo = vim.bo[buf]
  bo.buftype, bo.bufhidden, bo.swapfile, bo.modeline = "nofile", "wipe", false, false
  pcall(api.nvim_buf_set_name, buf, "codex-chat://audit")
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  bo.modifiable = false
  require("codex-chat.outside.runtime").set_filetype(buf, "codexchataudit")
  vim.wo[0][0].wrap, vim.wo[0][0].number, vim.wo[0][0].signcolumn = false, false, "no"
  api.nvim_win_set_height(0, math.min(#lines + 1, math.floor(vim.o.lines * 0.6)))
  pages.closes(buf, origin)
  vim.cmd("normal! G")
end

--- Shows the audit record of the current project, the newest entry last.
---@param raw boolean whether to open the file itself, with a line of JSON for each entry
function M.audit(raw)
  local path = require("codex-chat.project").of_buf().dir .. "/audit.jsonl"
  local lines = tail(path)
  if not lines then
    say.info(
      ("there is no record of this project yet (%s)."):format(vim.fn.fnamemodify(path, ":~"))
    )
    return
  end
  if raw then
    return open(path, "json")
  end
  local head = ("%-19s  %-14s  %s"):format(
    "time (UTC)",
    "event",
    "what (`:CodexChat! log audit` opens the file)"
  )
  local shown = { head }
  for _, line in ipairs(lines) do
    shown[#shown + 1] = shown_line(line)
  end
  page(shown)
end

--- Shows the host's log, or with "audit" the project's audit record.
---@param what string
---@param raw boolean
function M.show(what, raw)
  if what == "audit" then
    return M.audit(raw)
  end
  if what ~= "" then
    say.error(("there is no `:CodexChat log %s`; there is `:CodexChat log audit`."):format(what))
    return
  end
  local path = require("codex-chat.host").log_path()
  if vim.uv.fs_stat(path) then
    open(path)
  else
    say.info(("there is no log yet at %s."):format(path))
  end
end

return M
