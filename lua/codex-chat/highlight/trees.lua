--- Parses a text and the languages in it, as far as `languages.lua` allows them.
---
--- Neovim's own injections load any parser that a text names, so here each language is parsed
--- separately, with Neovim's queries to find the languages in it.
local M = {}

local languages = require("codex-chat.highlight.languages")

--- How deep languages may be nested.
local max_depth = 6
--- The longest piece of an injected language that is parsed.
local max_inner_bytes = 4 * 1024
--- The time limit of one parse, and of all parses of a text, in ms. Some texts take quadratic time or
--- more, and the editor is blocked meanwhile.
---
--- It is the processor's time: on a busy machine any parse can last that long, and a language that was
--- given up for that would stay without its colours. Nor does it count what loading a language takes.
local parse_ms, total_ms = 100, 250
--- How often a parse is begun again that had too little of the processor.
local max_tries = 5
--- How deep quotations and lists may be nested.
---
--- SECURITY: above 254 the markdown parser writes past its buffer, and Neovim crashes. One line of an
--- answer can open any number.
local max_nested = 50

---@class (exact) codex-chat.Tree
---@field tree TSTree
---@field language codex-chat.Language
---@field depth integer 0 for the text's language

--- How many blocks the markers at the start of a line may open.
---@param line string
---@return integer markers
---@return integer columns of blanks among them
local function markers_of(line)
  local at, markers, columns = 1, 0, 0
  while true do
    local byte = line:byte(at)
    local after
    if byte == 32 or byte == 9 then
      columns = columns + (byte == 9 and 4 or 1)
      after = at + 1
    elseif byte == 62 then -- ">"
      markers = markers + 1
      after = at + 1
    else
      after = line:match("^[-*+]()[ \t]", at)
        or line:match("^[-*+]()$", at)
        or line:match("^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?[.)]()", at)
      if not after then
        return markers, columns
      end
      markers = markers + 1
    end
    at = after
  end
end

--- Whether the parser of this language can take the text.
---@param text string
---@param name string the language's
---@return boolean
function M.may_parse(text, name)
  if name ~= "markdown" then
    return true
  end
  -- A line continues a list by two columns, and a quotation by its marker.
  local nested = 0
  for line in text:gmatch("[^\r\n]+") do
    local markers, columns = markers_of(line)
    nested = math.max(nested, math.min(nested + markers, markers + math.floor(columns / 2)))
    if nested > max_nested then
      return false
    end
  end
  return true
end

--- Whether a piece of a text may be parsed as an injected language.
---@param ranges Range6[]
---@param text string
---@param name string
---@return boolean
local function may_parse_inner(ranges, text, name)
  local parts, bytes = {}, 0
  for _, range in ipairs(ranges) do
    bytes = bytes + range[6] - range[3]
    if bytes > max_inner_bytes then
      return false
    end
    parts[#parts + 1] = text:sub(range[3] + 1, range[6])
  end
  return M.may_parse(table.concat(parts), name)
end

--- The node's range, without its children if they do not belong to it.
---@param node TSNode
---@param text string
---@param metadata table?
---@param whole boolean
---@return Range6[]
local function ranges_of(node, text, metadata, whole)
  local range = vim.treesitter.get_range(node, text, metadata)
  if whole or node:named_child_count() == 0 then
    return { range }
  end
  local row, column, byte, last_row, last_column, last_byte = unpack(range)
  local ranges = {}
  for child in node:iter_children() do
    if child:named() then
      local r1, c1, b1, r2, c2, b2 = child:range(true)
      if b1 > byte then
        table.insert(ranges, { row, column, byte, r1, c1, b1 })
      end
      row, column, byte = r2, c2, b2
    end
  end
  if last_byte > byte then
    table.insert(ranges, { row, column, byte, last_row, last_column, last_byte })
  end
  return ranges
end

--- The language and ranges of a match of the injection query.
---@param query vim.treesitter.Query
---@param match table<integer, TSNode[]>
---@param metadata table
---@param text string
---@param of { language: codex-chat.Language, parent: codex-chat.Language? }
---@return codex-chat.Language|false|nil language
---@return Range6[] ranges
local function injection(query, match, metadata, text, of)
  local word = metadata["injection.language"]
  local language = metadata["injection.self"] ~= nil and of.language
    or metadata["injection.parent"] ~= nil and of.parent
    or type(word) == "string" and languages.of_word(word)
  local ranges = {}
  for id, nodes in pairs(match) do
    local name = query.captures[id]
    for _, node in ipairs(nodes) do
      if name == "injection.language" then
        local named = vim.treesitter.get_node_text(node, text, { metadata = metadata[id] })
        language = languages.of_word(named)
      elseif name == "injection.filename" then
        local named = vim.treesitter.get_node_text(node, text, { metadata = metadata[id] })
        local filetype = vim.filetype.match({ filename = named })
        language = filetype and languages.of_word(filetype)
      elseif name == "injection.content" then
        local whole = metadata["injection.include-children"] ~= nil
        vim.list_extend(ranges, ranges_of(node, text, metadata[id], whole))
      end
    end
  end
  return language, ranges
end

--- The regions of injected languages in a tree, by language.
---@param tree TSTree
---@param text string
---@param of { language: codex-chat.Language, parent: codex-chat.Language? }
---@return table<codex-chat.Language, Range6[][]>
local function regions_in(tree, text, of)
  local query = of.language.injections
  local found, combined = {}, {}
  if not query then
    return found
  end
  for pattern, match, metadata in query:iter_matches(tree:root(), text, 0, -1, { all = true }) do
    local language, ranges = injection(query, match, metadata, text, of)
    if language and #ranges > 0 then
      local regions = found[language] or {}
      found[language] = regions
      local key = metadata["injection.combined"] ~= nil and language.name .. pattern
      if key and combined[key] then
        vim.list_extend(combined[key], ranges)
      else
        table.insert(regions, ranges)
        if key then
          combined[key] = ranges
        end
      end
    end
  end
  return found
end

---@class (exact) codex-chat.Parsing
---@field text string
---@field found codex-chat.Tree[]
---@field slow table<string, true> languages that took too long
---@field left number the rest of the time, in ms

--- Parses once, for `ms` at most.
---@param name string
---@param ranges Range6[]
---@param text string
---@param ms number more than 0
---@return TSTree? tree nil if the time was over
local function parse_once(name, ranges, text, ms)
  -- Neovim's LanguageTree has no time limit for a synchronous parse.
  local parser = vim._create_ts_parser(name)
  parser:set_included_ranges(ranges)
  local ok, tree
  if parser.set_timeout then
    -- Before Neovim 0.11. In µs; 0 means no limit.
    parser:set_timeout(math.max(1, math.floor(ms * 1000)))
    ok, tree = pcall(parser.parse, parser, nil, text, true)
  else
    ok, tree = pcall(parser.parse, parser, nil, text, true, math.max(1, math.floor(ms * 1e6)))
  end
  return ok and tree or nil
end

--- Parses a piece of the text, within the time limit.
---@param parsing codex-chat.Parsing
---@param name string
---@param ranges Range6[] none for the whole text
---@return TSTree? tree nil if the time was over; the language is slow from then on
local function parse_piece(parsing, name, ranges)
  local own = math.min(parsing.left, parse_ms)
  for _ = 1, max_tries do
    if own <= 0 then
      break
    end
    local began = os.clock()
    local tree = parse_once(name, ranges, parsing.text, own)
    local took = (os.clock() - began) * 1000
    parsing.left, own = parsing.left - took, own - took
    if tree then
      -- Since Neovim 0.11, the parse of a string has no time limit.
      parsing.slow[name] = own < 0 or nil
      return tree
    end
  end
  parsing.slow[name] = true
  return nil
end

---@param parsing codex-chat.Parsing
---@param of { language: codex-chat.Language, parent: codex-chat.Language? }
---@param regions Range6[][]
---@param depth integer
local function parse(parsing, of, regions, depth)
  local language = of.language
  for _, ranges in ipairs(regions) do
    local may = depth == 0 or may_parse_inner(ranges, parsing.text, language.name)
    local tree = may
      and not parsing.slow[language.name]
      and parse_piece(parsing, language.name, ranges)
    if tree then
      table.insert(parsing.found, { tree = tree, language = language, depth = depth })
      if depth < max_depth then
        for other, inner in pairs(regions_in(tree, parsing.text, of)) do
          parse(parsing, { language = other, parent = language }, inner, depth + 1)
        end
      end
    end
  end
end

--- The range of a text that is one paragraph: each line begins with a letter, which begins nothing else in
--- markdown. Such a text needs no parser for blocks, and an answer is mostly made of them.
---@param text string
---@return Range6?
local function paragraph(text)
  local body = text:gsub("\n+$", "")
  -- To the parser, a carriage return ends a line as well.
  if not body:find("^%a") or body:find("\n[^%a]") or body:find("\r", 1, true) then
    return nil
  end
  local rows, last = 0, 1
  for at in body:gmatch("()\n") do
    rows, last = rows + 1, at + 1
  end
  return { 0, 0, 0, rows, #body - last + 1, #body }
end

--- Parses a text. Raises if Neovim does.
---@param text string
---@param name string the text's language
---@param slow? table<string, true> languages not to parse; those that take too long are added
---@return codex-chat.Tree[]? trees the text's own first, except of a paragraph; nil without that language, or
--- if it is slow or cannot take the text
function M.parse(text, name, slow)
  languages.refresh()
  local language = M.may_parse(text, name) and languages.get(name)
  if not language then
    return nil
  end
  ---@type codex-chat.Parsing
  local parsing = { text = text, found = {}, slow = slow or {}, left = total_ms }
  local range = name == "markdown" and paragraph(text)
  local inline = range and languages.get("markdown_inline")
  if range and inline then
    parse(parsing, { language = inline, parent = language }, { { range } }, 1)
  else
    parse(parsing, { language = language }, { {} }, 0)
  end
  return #parsing.found > 0 and parsing.found or nil
end

return M
