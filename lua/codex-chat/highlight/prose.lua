--- Groups for the words of an answer: those of the colour scheme where they can be read.
---
--- Many schemes have headings, code and links of little contrast, or code on a background of its own
--- (1.7 to 1 in tokyonight-day). In a file that is markup, here it is what Codex says.
local M = {}

local api = vim.api
local shades = require("codex-chat.highlight.shades")

--- What Neovim's queries call the parts of a text, by language.
local captures = {
  markdown = "heading heading.1 heading.2 heading.3 heading.4 heading.5 heading.6 list list.checked "
    .. "list.unchecked quote link.label link.url",
  markdown_inline = "raw strong italic strikethrough link link.label link.url",
}

---@type table<string, string> by the scheme's group
local ours = {}
for language, names in pairs(captures) do
  for name in names:gmatch("%S+") do
    local source = ("@markup.%s.%s"):format(name, language)
    ours[source] = "CodexChat." .. source:sub(2)
  end
end

--- The group with which a capture is shown.
---@param source string the scheme's, such as "@markup.raw.markdown_inline"
---@return string
function M.group(source)
  return ours[source] or source
end

--- The group that Neovim takes for this one: itself, or the first of its parents that is set.
---@param name string
---@return string
local function set_group(name)
  local at = name
  while at and not next(api.nvim_get_hl(0, { name = at, create = false })) do
    at = at:match("^(.+)%.[^.]+$")
  end
  return at or name
end

--- The shades of all these groups.
---@param palette codex-chat.Palette
---@param base integer the hardest background that text stands on
---@return table<string, codex-chat.Shade> by the scheme's group
function M.shades(palette, base)
  local found, known = {}, {}
  for source in pairs(ours) do
    local from = set_group(source)
    if not known[from] then
      local look = palette.look(from)
      if look.bg then
        known[from] = shades.solid(palette, from)
      elseif not look.fg or look.fg == palette.fg then
        known[from] = { keep = from }
      else
        known[from] = shades.text(palette, from, base)
      end
    end
    found[source] = known[from]
  end
  return found
end

return M
