--- Whether a call has only looked: read files, searched, listed. It is told by its command alone, and
--- one that is not understood in full counts as having done more.
local M = {}

local calls = require("codex-chat.buffer.calls")

--- What calls have looked at, in numbers.
---@class (exact) codex-chat.Looks
---@field calls integer
---@field paths table<string, true> files that were read
---@field has_globs? true some of them are named by a pattern
---@field searches? integer
---@field lists? integer
---@field git? integer
---@field web? integer
---@field pages? integer

---@alias codex-chat.LookSort "searches"|"lists"|"git"|"web"|"pages"
--- What a command does: it reads files, one of the sorts above, or it only passes text on.
---@alias codex-chat.LookKind "reads"|"passes"|codex-chat.LookSort

--- A longer command is not read.
local max_bytes = 400

--- Redirections that write no file.
local harmless = { "^&?%d*>%s*/dev/null", "^%d*>&%d" }

---@class (exact) codex-chat.ShellCommand
---@field words string[]
---@field is_piped boolean whether it reads what the one before it writes

--- What a piece of a word in quotes, or after a backslash, stands for.
---@param text string
---@param at integer
---@return string? piece nil where the shell would do more than remove the quotes
---@return integer next
local function quoted(text, at)
  local mark = text:sub(at, at)
  if mark == "\\" then
    return text:sub(at + 1, at + 1), at + 2
  elseif mark == "'" then
    local piece, next = text:match("^'([^']*)'()", at)
    return piece, next
  end
  local from = at + 1
  at = from
  while true do
    local stop = text:find('["\\]', at)
    if not stop then
      return nil, at
    elseif text:sub(stop, stop) == '"' then
      local piece = text:sub(from, stop - 1)
      return not piece:find("[`]") and not piece:find("%$[%w_({]") and piece or nil, stop + 1
    end
    at = stop + 2
  end
end

--- The commands of a line of a shell's; nil where it takes more to tell them apart.
---@param text string
---@return codex-chat.ShellCommand[]?
local function commands_of(text)
  local found = { { words = {}, is_piped = false } }
  local word ---@type string?
  local at = 1
  local function end_word()
    if word then
      table.insert(found[#found].words, word)
      word = nil
    end
  end
  while at <= #text do
    local char = text:sub(at, at)
    local redirection = (char:find("[%d&>]") and not word)
      and (text:match(harmless[1] .. "()", at) or text:match(harmless[2] .. "()", at))
    local operator = text:match("^&&", at) or text:match("^||?", at) or text:match("^;", at)
    if redirection then
      at = redirection --[[@as integer]]
    elseif operator then
      end_word()
      found[#found + 1] = { words = {}, is_piped = operator == "|" }
      at = at + #operator
    elseif char:find("%s") then
      end_word()
      at = at + 1
    elseif char:find("[\\'\"]") then
      local piece, next = quoted(text, at)
      if not piece then
        return nil
      end
      word, at = (word or "") .. piece, next
    elseif char:find("[<>&`()%c]") or text:find("^%$[%w_({]", at) then
      return nil
    else
      word, at = (word or "") .. char, at + 1
    end
  end
  end_word()
  return found
end

--- Whether a word is one of these options, or one with a value.
---@param words string[]
---@param options string[] patterns
---@return boolean
local function has(words, options)
  for n = 2, #words do
    for _, option in ipairs(options) do
      if words[n]:find(option) then
        return true
      end
    end
  end
  return false
end

---@param kind codex-chat.LookKind
---@param options? string[] with one of which it does more
---@return fun(words: string[]): codex-chat.LookKind?
local function unless(kind, options)
  return function(words)
    return not has(words, options or {}) and kind or nil
  end
end

--- The commands of git that only look.
local git_looks = {
  ["status"] = "git",
  ["log"] = "git",
  ["show"] = "git",
  ["diff"] = "git",
  ["blame"] = "git",
  ["rev-parse"] = "git",
  ["grep"] = "searches",
  ["ls-files"] = "lists",
}

---@type table<string, fun(words: string[]): codex-chat.LookKind?>
local programs = {
  sed = function(words)
    -- A script can write files and run commands: only lines that are printed by their numbers.
    return words[2] == "-n" and (words[3] or ""):find("^[%d,$;p ]+$") and "reads" or nil
  end,
  rg = function(words)
    return not has(words, { "^%-%-pre", "^%-%-hostname" })
        and (has(words, { "^%-%-files$" }) and "lists" or "searches")
      or nil
  end,
  git = function(words)
    local at = 2
    while words[at] == "--no-pager" or words[at] == "-C" do
      at = at + (words[at] == "-C" and 2 or 1)
    end
    return not has(words, { "^%-%-output", "^%-%-ext", "^%-%-open", "^%-O" })
        and git_looks[words[at] or ""]
      or nil
  end,
  find = unless("lists", { "^%-delete", "^%-exec", "^%-ok", "^%-fprint", "^%-fls" }),
  fd = unless("lists", { "^%-%a*[xX]", "^%-%-exec" }),
  tree = unless("lists", { "^%-%a*o", "^%-%-output" }),
  less = unless("reads", { "^%-%a*[oO]", "^%-%-log", "^%-%-LOG", "^%+" }),
  bat = unless("reads", { "^%-%-pager", "^cache$" }),
  sort = unless("passes", { "^%-%a*o", "^%-%-output", "^%-%-compress" }),
  uniq = unless("passes", { "^[^-]" }),
}
for kind, names in pairs({
  reads = "cat head tail nl wc file stat tac",
  searches = "grep egrep fgrep",
  lists = "ls du",
  passes = "cd pwd echo printf true cut tr column jq",
}) do
  for name in names:gmatch("%a+") do
    programs[name] = unless(kind)
  end
end

--- Adds the files that a command names.
---@param looks codex-chat.Looks
---@param words string[]
local function add_paths(looks, words)
  for n = words[1] == "sed" and 4 or 2, #words do
    local word = words[n]
    if not word:find("^[-+]") and not word:find("^%d+$") then
      looks.paths[word] = true
      looks.has_globs = looks.has_globs or word:find("[*?%[{]") ~= nil or nil
    end
  end
end

---@param looks codex-chat.Looks
---@param sort codex-chat.LookSort
local function count(looks, sort)
  looks[sort] = (looks[sort] or 0) + 1
end

--- What a command looks at.
---@param script string
---@return codex-chat.Looks? looks nil where it may do more
local function of_command(script)
  local commands = #script <= max_bytes and not script:find("…$") and commands_of(script)
  local looks = { calls = 1, paths = {} } ---@type codex-chat.Looks
  local has_looked = false
  for _, command in ipairs(commands or {}) do
    local program = programs[command.words[1] or ""]
    local kind = program and program(command.words)
    if not kind then
      return nil
    elseif not command.is_piped and kind ~= "passes" then
      has_looked = true
      if kind == "reads" then
        add_paths(looks, command.words)
      else
        count(looks, kind)
      end
    end
  end
  return has_looked and looks or nil
end

--- The verbs of calls that only look, apart from those of commands.
---@type table<string, codex-chat.LookSort|"reads">
local verbs = { Searched = "web", Opened = "pages", Looked = "web", Viewed = "reads" }

--- Whether a line may be that of a call which has only looked: it costs less to tell.
---@param line string
---@return boolean
function M.may_be(line)
  local verb = calls.verb_of(line)
  return verb == "Ran" or verbs[verb] ~= nil
end

--- What the call of this line has looked at.
---@param line string
---@return codex-chat.Looks? looks nil where it did more, has not succeeded, or was asked about
function M.of(line)
  local call = M.may_be(line) and calls.parse(line)
  if not call then
    return nil
  end
  local is_success = call.verb ~= "Ran"
  for _, part in ipairs(call.tail) do
    if part.text == "exit 0" then
      is_success = true
    elseif not part.text:find("^[%d.]+ s$") and not part.text:find("^%d+ min") then
      return nil
    end
  end
  local about
  for _, part in ipairs(call.about) do
    about = about or part.group and part.text
  end
  if not is_success then
    return nil
  elseif call.verb == "Ran" then
    return about and of_command(about) or nil
  end
  local looks = { calls = 1, paths = {} } ---@type codex-chat.Looks
  local sort = verbs[call.verb]
  if sort == "reads" then
    looks.paths[about or ""] = true
  else
    count(looks, sort)
  end
  return looks
end

--- Adds what other calls have looked at.
---@param all codex-chat.Looks
---@param more codex-chat.Looks
function M.add(all, more)
  for path in pairs(more.paths) do
    all.paths[path] = true
  end
  all.calls = all.calls + more.calls
  all.has_globs = all.has_globs or more.has_globs
  for _, sort in ipairs({ "searches", "lists", "git", "web", "pages" }) do
    all[sort] = more[sort] and (all[sort] or 0) + more[sort] or all[sort]
  end
end

---@param number integer
---@return string
local function times(number)
  return number == 1 and "once" or number == 2 and "twice" or ("%d times"):format(number)
end

--- How the sorts are worded: where one is the first, and behind another.
---@type { sort: codex-chat.LookSort, first: string, next: string }[]
local words = {
  { sort = "searches", first = "Searched %s", next = "searched %s" },
  { sort = "lists", first = "Listed files %s", next = "listed %s" },
  { sort = "git", first = "Asked git %s", next = "git %s" },
  { sort = "web", first = "Searched the web %s", next = "the web %s" },
  { sort = "pages", first = "Opened pages %s", next = "opened pages %s" },
}

--- A call's line for all of them, such as "**Looked** at 9 files, searched twice".
---@param looks codex-chat.Looks
---@return codex-chat.Call
function M.call(looks)
  local parts = {}
  local files = vim.tbl_count(looks.paths)
  if files > 0 then
    parts[1] = looks.has_globs and "Looked at files"
      or ("Looked at %d file%s"):format(files, files == 1 and "" or "s")
  end
  for _, word in ipairs(words) do
    local number = looks[word.sort]
    if number then
      parts[#parts + 1] = (parts[1] and word.next or word.first):format(times(number))
    end
  end
  local verb, rest = table.concat(parts, ", "):match("^(%u%l+)(.*)$")
  local about = { { first = 0, last = 0, text = rest } }
  return { verb = verb, kind = "done", about = about, tail = {} }
end

return M
