--- Parses a text with the languages in it, of which only those take part that may: `languages.lua`.
---
--- Neovim's own way with injections loads whatever a text names, so each language is parsed by
--- itself here, with Neovim's queries telling what is in it.
local M = {}

local languages = require("codex-chat.languages")

--- A language within a language within one, so many times.
local max_depth = 6

---@class (exact) codex-chat.Tree
---@field tree TSTree
---@field language codex-chat.Language
---@field depth integer 0 for the text's own language

--- The node's range, without its children where they are no part of it.
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

--- What a match of the injection query says.
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

--- The regions of other languages in a tree, each language's together.
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

---@param text string
---@param of { language: codex-chat.Language, parent: codex-chat.Language? }
---@param regions Range6[][]? the whole text without
---@param depth integer
---@param found codex-chat.Tree[]
local function parse(text, of, regions, depth, found)
  local language = of.language
  local parser = vim.treesitter.get_string_parser(text, language.name, {
    injections = { [language.name] = "" },
  })
  if regions then
    parser:set_included_regions(regions)
  end
  parser:parse(true)
  for _, tree in pairs(parser:trees()) do
    table.insert(found, { tree = tree, language = language, depth = depth })
    if depth < max_depth then
      for other, inner in pairs(regions_in(tree, text, of)) do
        parse(text, { language = other, parent = language }, inner, depth + 1, found)
      end
    end
  end
end

--- Parses a text. Raises where Neovim does.
---@param text string
---@param name string the text's language
---@return codex-chat.Tree[]? trees the text's own first; nil without that language
function M.parse(text, name)
  languages.refresh()
  local language = languages.get(name)
  if not language then
    return nil
  end
  local found = {}
  parse(text, { language = language }, nil, 0, found)
  return found
end

return M
