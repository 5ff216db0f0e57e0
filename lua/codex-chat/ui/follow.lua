--- Opens the text under the cursor: files in a window for code, addresses by the desktop.
---
--- SECURITY: the text is the model's. Only web addresses leave the editor, and each is shown as it is
--- opened. A file is shown as text, only if it is in the project, and never given to a program that might
--- run it.
local M = {}

local links = require("codex-chat.ui.links")
local say = require("codex-chat.message")

local api, uv = vim.api, vim.uv

---@class (exact) codex-chat.Place
---@field path string absolute
---@field pos? { lnum: integer, col?: integer } both from 1

--- Notations of a line after a file name.
local suffixes = {
  "^(.-):(%d+):(%d+)$",
  "^(.-):(%d+)%-%d+$",
  "^(.-):(%d+)$",
  "^(.-)#L(%d+)C(%d+)",
  "^(.-)#L(%d+)",
  "^(.-)%((%d+),%s*(%d+)%)$",
  "^(.-)%((%d+)%)$",
}

--- How many words on either side of the cursor's may belong to a name with blanks.
local words_beside = 4

---@param path string
---@return boolean
local function is_there(path)
  local stat = uv.fs_stat(path)
  return stat ~= nil and (stat.type == "file" or stat.type == "directory")
end

--- The paths that a name may mean, the likeliest first.
---@param root string
---@param name string
---@return string[]
local function paths_of(root, name)
  if name:sub(1, 1) == "/" then
    return { name }
  elseif name:sub(1, 2) == "~/" then
    return { (uv.os_homedir() or "~") .. name:sub(2) }
  end
  name = name:gsub("^%./", "")
  local found = { root .. "/" .. name }
  -- The prefixes of the two sides of a diff.
  local plain = name:match("^[abciow]/(.+)$")
  if plain then
    found[2] = root .. "/" .. plain
  end
  found[#found + 1] = vim.fn.getcwd() .. "/" .. name
  return found
end

--- The file that a text names, with or without a line after it.
---@param root string
---@param text string
---@return codex-chat.Place?
local function named(root, text)
  text = vim.trim(text)
  if text == "" or #text > 4096 or text:find("%c") then
    return nil
  end
  local function try(name, lnum, col)
    for _, path in ipairs(name ~= "" and paths_of(root, name) or {}) do
      if is_there(path) then
        local pos = lnum and { lnum = tonumber(lnum), col = tonumber(col) }
        return { path = vim.fs.normalize(path), pos = pos or nil }
      end
    end
  end
  local place = try(text)
  for _, suffix in ipairs(suffixes) do
    local name, lnum, col = text:match(suffix)
    place = place or (name and try(name, lnum, col))
  end
  return place or (text:find("#", 2, true) and try(text:match("^[^#]+"))) or nil
end

--- The same for a text with punctuation around it.
---@param root string
---@param text string
---@return codex-chat.Place?
local function loosely_named(root, text)
  local place = named(root, text)
  if place then
    return place
  end
  local bare = text:gsub("^[%(%[{<\"'`*_@,]+", "")
  local cut = bare
  repeat
    place = named(root, cut)
    bare = cut
    cut = bare:gsub("[%)%]}>\"'`*_,.;:!?]$", "")
  until place or cut == bare
  return place
end

--- File names in the lines of diffs.
---@param line string
---@return string[]
local function by_form(line)
  local found = {}
  for _, pattern in ipairs({
    "^[-+][-+][-+] ([^\t]+)",
    "^%*%*%* %a+ File: (.+)$",
    "^rename %a+ (.+)$",
    "^copy %a+ (.+)$",
    "^diff %-%-git a/.- b/(.+)$",
  }) do
    found[#found + 1] = line:match(pattern)
  end
  return found
end

--- The file that is named at this byte of a line.
---@param root string
---@param line string
---@param at integer
---@return codex-chat.Place?
local function in_line(root, line, at)
  for _, quote in ipairs({ '"', "'", "`" }) do
    for first, inner, last in line:gmatch(("()%s([^%s]+)%s()"):format(quote, quote, quote)) do
      local place = at >= first and at < last and named(root, inner)
      if place then
        -- Python's notation: File "a.py", line 3
        local lnum = not place.pos and line:match("^,? line (%d+)", last)
        place.pos = place.pos or (lnum and { lnum = tonumber(lnum) }) or nil
        return place
      end
    end
  end
  local words, here = {}, nil
  for first, last in line:gmatch("()%S+()") do
    words[#words + 1] = { first, last - 1 }
    here = here or (at <= last - 1 and #words) or nil
  end
  here = here or #words
  if here == 0 then
    return nil
  end
  local function between(from, to)
    return loosely_named(root, line:sub(words[from][1], words[to][2]))
  end
  local place = between(here, here)
  for _, text in ipairs(place and {} or by_form(line)) do
    place = place or named(root, text)
  end
  for wide = 1, place and 0 or 2 * words_beside do
    for left = math.max(0, wide - words_beside), math.min(wide, words_beside) do
      local from, to = here - left, here + wide - left
      if not place and from >= 1 and to <= #words then
        place = between(from, to)
      end
    end
  end
  return place
end

---@param text string
---@return string
local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

---@param link codex-chat.Link
---@return boolean
local function is_address(link)
  return (link.kind == "link" or link.kind == "address")
    and link.text:lower():find("^https?://") ~= nil
end

--- The file that a link names.
---@param root string
---@param link codex-chat.Link
---@return codex-chat.Place?
local function place_of(root, link)
  if link.kind == "address" then
    return nil
  elseif link.kind == "link" then
    local target = link.text:gsub("^file://localhost/", "/"):gsub("^file:///", "/")
    return named(root, target) or named(root, decoded(target))
  elseif link.kind == "code" then
    return loosely_named(root, link.text) or in_line(root, link.text:gsub("\n", " "), link.at)
  end
  return in_line(root, link.text, link.at)
end

---@param chat codex-chat.Chat
---@return codex-chat.Link
local function under_cursor(chat)
  local pos = api.nvim_win_get_cursor(0)
  return links.at(api.nvim_buf_get_lines(chat.buf, 0, -1, false), pos[1] - 1, pos[2])
end

--- Whether a file is in the project, links followed.
---@param root string
---@param path string
---@return boolean
local function is_of_project(root, path)
  local real, top = uv.fs_realpath(path), uv.fs_realpath(root)
  return real ~= nil and top ~= nil and (real == top or vim.startswith(real, top .. "/"))
end

--- Opens an address by the desktop, and says which.
---@param address string
local function open_address(address)
  if address:find("[%c%s]") then
    say.error("the address has blanks or control characters in it.")
    return
  end
  -- SECURITY: letters that look like others, or turn the direction of the text, would show an address
  -- that is not the one that opens.
  local plain = address:gsub("[\128-\255]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
  say.info(("opening %s"):format(plain))
  local err = require("codex-chat.outside.programs").open(plain)
  if err then
    say.error((err:gsub("%.$", "")) .. ".")
  end
end

--- Shows a file of the project in a window for code.
---@param chat codex-chat.Chat
---@param place codex-chat.Place
---@param how? "split"|"tab"
local function open_place(chat, place, how)
  if is_of_project(chat.root, place.path) then
    require("codex-chat.ui.stay").open(place.path, place.pos, how)
    return
  end
  local shown = vim.fn.fnamemodify(place.path, ":~"):gsub("%c", " ")
  say.error(("%s is outside of the project; `:edit` opens it."):format(shown))
end

---@param chat codex-chat.Chat
---@param name string
local function is_missing(chat, name)
  say.error(("there is no file %s in %s."):format((name:gsub("%c", " "):sub(1, 100)), chat.root))
end

--- What is selected, as a link; else the one under the cursor.
---@param chat codex-chat.Chat
---@return codex-chat.Link
local function selected(chat)
  local mode = vim.fn.mode()
  if not mode:find("^[vV\22]") then
    return under_cursor(chat)
  end
  local lines = vim.fn.getregion(vim.fn.getpos("v"), vim.fn.getpos("."), { type = mode })
  api.nvim_feedkeys(vim.keycode("<Esc>"), "nx", false)
  local text = table.concat(lines, "\n")
  local is_one = text:lower():find("^https?://%S+$") ~= nil
  return { kind = is_one and "address" or "code", text = text, at = 1 }
end

--- `gf` and similar: goes to the file or address under the cursor, or to the selected one.
---@param chat codex-chat.Chat
---@param how? "split"|"tab"
function M.go(chat, how)
  local link = selected(chat)
  local place = not is_address(link) and place_of(chat.root, link)
  if is_address(link) then
    open_address(link.text)
  elseif place then
    open_place(chat, place, how)
  else
    is_missing(chat, link.kind == "text" and vim.fn.expand("<cWORD>") or link.text)
  end
end

--- Whether a row is in an answer: not in the prompt, in a query, or above them all.
---@param chat codex-chat.Chat
---@param row integer 0-based
---@return boolean
local function is_in_answer(chat, row)
  if row >= require("codex-chat.buffer.blocks").prompt_row(chat) then
    return false
  end
  local role_of = require("codex-chat.format").role_of
  for lnum = row + 1, 1, -1 do
    local line = vim.fn.getline(lnum)
    local role = line:byte(1) == 35 and role_of(line) -- "#"
    if role then
      return role == "codex"
    end
  end
  return false
end

--- Whether a word can only be meant as the name of a file: it has a line, or a directory and an ending.
---@param word string
---@return boolean
local function is_like_file(word)
  return word:find("^[^%s:]*[%w_]%.%a%w*:%d+") ~= nil
    or word:find("^[^%s:]+/[^%s:/]+%.%a%w*$") ~= nil
end

--- <CR> outside of the prompt: goes to the file or address under the cursor, if there is one in an
--- answer. Unlike `gf`, it takes no plain word for a file's name.
---@param chat codex-chat.Chat
---@return boolean done false if the key means something else there
function M.enter(chat)
  local pos = api.nvim_win_get_cursor(0)
  if not is_in_answer(chat, pos[1] - 1) then
    return false
  end
  local link = under_cursor(chat)
  if link.kind == "link" or link.kind == "address" then
    M.go(chat)
    return true
  end
  local word = vim.fn.expand("<cWORD>")
  local is_code = link.kind == "code" and not link.text:find("\n")
  local place = is_code and named(chat.root, link.text)
    or (word:find("[./]") and loosely_named(chat.root, word))
  local bare = word:gsub("^[%(%[{<\"'`*_@,]+", ""):gsub("[%)%]}>\"'`*_,.;:!?]+$", "")
  if place then
    open_place(chat, place)
  elseif is_like_file(bare) then
    is_missing(chat, bare)
  else
    return false
  end
  return true
end

--- The picture of the conversation that a link names; pictures are beside its file.
---@param chat codex-chat.Chat
---@param text string
---@return string? path
local function picture(chat, text)
  local path = vim.fs.dirname(chat.path) .. "/" .. text
  local is_one = text:match("^images/[%w_-]+%.%l+$")
    and (require("codex-chat.disk.look").lstat(path) or {}).type == "file"
  return is_one and path or nil
end

--- `gx`: opens the address, picture or file under the cursor.
---@param chat codex-chat.Chat
function M.open(chat)
  local link = under_cursor(chat)
  if is_address(link) then
    open_address(link.text)
    return
  end
  local beside = picture(chat, link.kind == "text" and vim.fn.expand("<cfile>") or link.text)
  if beside then
    local err = require("codex-chat.outside.programs").open(beside)
    if err then
      say.error((err:gsub("%.$", "")) .. ".")
    end
    return
  end
  local place = place_of(chat.root, link)
  if place then
    open_place(chat, place)
  else
    say.error(
      "there is no http or https address under the cursor, and no file of the project; "
        .. "`gx` opens nothing else."
    )
  end
end

return M
