--- Finds the mentions in a query: `@path`, `@path#L10-L20`, `@"a path"`, `@buffer` and so on.
local M = {}

---@class (exact) codex-chat.Mention
---@field text string as it was typed
---@field kind "path"|"buffer"|"selection"|"diagnostics"|"quickfix"|"diff"|"clipboard"|"image"|"skill"
---@field argument? string of a path or an image: the path; of diagnostics: "project"; of a skill: its name
---@field first? integer 1-based line
---@field last? integer
---@field quoted? boolean whether the path was in quotes: then it is a path for certain

--- Mentions other than paths, with a description for menus.
M.words = {
  { "buffer", "the file you came from" },
  { "selection", "what was selected there last" },
  { "diagnostics", "of that file" },
  { "diagnostics:project", "of all open files" },
  { "quickfix", "the quickfix list" },
  { "diff", "uncommitted changes" },
  { "clipboard", "the text on the clipboard" },
  { "image", "the picture on the clipboard, or @image:path" },
}

local kinds = {}
for _, word in ipairs(M.words) do
  kinds[word[1]:match("^%w+")] = true
end

---@param text string after the `@`, up to the next blank
---@return codex-chat.Mention?
local function parse(text)
  local path, rest = text:match('^"([^"]+)"(.*)$')
  local quoted = path ~= nil
  if not path then
    -- Punctuation after a mention belongs to the sentence.
    local word = text:gsub("'s[%p]*$", ""):gsub("[%.,;:!%?%)%]}'\"]+$", "")
    local kind, argument = word:match("^(%l+):?(.*)$")
    if kind and kinds[kind] and (word == kind or word:sub(#kind + 1, #kind + 1) == ":") then
      if kind == "image" then
        local name = text:match('^image:"([^"]+)"')
        argument = name or argument
        return {
          text = "@" .. (name and ('image:"%s"'):format(name) or word),
          kind = "image",
          argument = argument ~= "" and argument or nil,
        }
      end
      if argument == "" or (kind == "diagnostics" and argument == "project") then
        return { text = "@" .. word, kind = kind, argument = argument ~= "" and argument or nil }
      end
    end
    path, rest = word:match("^([^#]+)(.*)$")
    if not path then
      return nil
    end
  end
  local first, last, tail = rest:match("^#L(%d+)%-?L?(%d*)(.*)$")
  ---@type codex-chat.Mention
  local mention = { text = "", kind = "path", argument = path, quoted = quoted }
  if first and not tail:find("^%w") then
    mention.first = tonumber(first)
    mention.last = tonumber(last) or mention.first
  end
  local place = first and rest:match("^#L%d+%-?L?%d*") or ""
  mention.text = "@" .. (quoted and ('"%s"'):format(path) or path) .. place
  return mention
end

--- The mention that begins at a byte, if there is one.
---@param line string without code spans
---@param at integer
---@return codex-chat.Mention?
local function mention_at(line, at)
  -- An address such as a@b is not a mention.
  if at > 1 and not line:sub(at - 1, at - 1):find("[%s%(%[\"'{]") then
    return nil
  end
  if line:sub(at, at) == "$" then
    local name = line:match("^%w[%w_:-]*", at + 1)
    name = name and name:gsub("[_:-]+$", "")
    return name and { text = "$" .. name, kind = "skill", argument = name }
  end
  local word = line:match('^"[^"]+"%S*', at + 1)
    or line:match('^image:"[^"]+"', at + 1)
    or line:match("^%S+", at + 1)
  return word and parse(word)
end

--- The mentions in a query, each once. Text in code is not a mention.
---@param text string
---@return codex-chat.Mention[]
function M.find(text)
  local format = require("codex-chat.format")
  local found, seen = {}, {}
  local fence
  for _, line in ipairs(vim.split(text, "\n", { plain = true })) do
    local before = fence
    fence = format.step(fence, line)
    if not before and not fence then
      local plain = line:gsub("(`+).-%1", function(code)
        return (" "):rep(#code)
      end)
      local at = plain:find("[@$]")
      while at do
        local mention = mention_at(plain, at)
        if mention and not seen[mention.text] then
          seen[mention.text] = true
          found[#found + 1] = mention
        end
        at = plain:find("[@$]", at + (mention and #mention.text or 1))
      end
    end
  end
  return found
end

--- A path as a mention.
---@param path string
---@return string
function M.of_path(path)
  return path:find("[%s\"'#%(%)%[%]{},;]") and ('@"%s"'):format(path) or "@" .. path
end

return M
