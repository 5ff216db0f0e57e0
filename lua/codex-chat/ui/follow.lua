--- Opens the text under the cursor: files in a window for code, addresses by the desktop.
---
--- SECURITY: the text is the model's. Only web and mail addresses leave the editor: a file is shown as
--- text, and never given to a program that might run it.
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

---@param text string
---@return boolean
local function is_address(text)
  return text:lower():find("^https?://") ~= nil or text:lower():find("^mailto:") ~= nil
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

--- `gf` and similar: goes to the file under the cursor, or to the selected one.
---@param chat codex-chat.Chat
---@param how? "split"|"tab"
function M.file(chat, how)
  local mode = vim.fn.mode()
  local link
  if mode:find("^[vV\22]") then
    local lines = vim.fn.getregion(vim.fn.getpos("v"), vim.fn.getpos("."), { type = mode })
    api.nvim_feedkeys(vim.keycode("<Esc>"), "nx", false)
    link = { kind = "code", text = table.concat(lines, "\n"), at = 1 }
  else
    link = under_cursor(chat)
  end
  local place = place_of(chat.root, link)
  if place then
    require("codex-chat.ui.stay").open(place.path, place.pos, how)
  elseif is_address(link.text) then
    say.error("this is an address, which `gx` opens.")
  else
    local shown = link.kind == "text" and vim.fn.expand("<cWORD>") or link.text
    say.error(("there is no file %s in %s."):format((shown:gsub("%c", " "):sub(1, 100)), chat.root))
  end
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

--- Why an address is not opened.
---@param address string
---@return string?
local function refusal(address)
  if address:find("[%c%s]") then
    return "the address has blanks or control characters in it"
  elseif address:lower():find("^mailto:.*[?&]attach") then
    -- SECURITY: xdg-email would attach the named file.
    return "the address attaches a file to the mail"
  end
end

--- `gx`: opens the address, picture or file under the cursor.
---@param chat codex-chat.Chat
function M.open(chat)
  local link = under_cursor(chat)
  local text = link.text
  local beside = picture(chat, link.kind == "text" and vim.fn.expand("<cfile>") or text)
  local err
  if is_address(text) and link.kind ~= "text" and link.kind ~= "code" then
    err = refusal(text) or require("codex-chat.outside.programs").open(text)
  elseif beside then
    err = require("codex-chat.outside.programs").open(beside)
  else
    local place = place_of(chat.root, link)
    if place and is_of_project(chat.root, place.path) then
      require("codex-chat.ui.stay").open(place.path, place.pos)
    else
      err = "`gx` opens addresses with http, https or mailto and files of the project; "
        .. "there is none of these under the cursor"
    end
  end
  if err then
    say.error((err:gsub("%.$", "")) .. ".")
  end
end

return M
