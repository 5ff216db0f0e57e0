--- Colours of a chat that can be read, from those of the colour scheme.
---
--- A colour of the scheme is kept where it is good enough, and else mixed with white, black or the
--- background, as little as it takes.
local M = {}

local contrast = require("codex-chat.highlight.contrast")

-- See contrast.lua.
if jit then
  jit.off(true, true)
end

--- A group's colours: those of another group, or its own.
---@class (exact) codex-chat.Shade
---@field keep string? the group that it is like in every respect
---@field like string? the group whose bold, italic and so on it has
---@field fg integer?
---@field bg integer?

--- WCAG 2.2, success criterion 1.4.3: the least contrast of text.
local least = 4.5
--- The least contrast of lines that only decorate.
local least_decoration = 1.5
--- Colours that are further apart than this are not taken for one another.
local apart = 60
--- Colours with less chroma look grey.
local colorful = 0.05

--- Whether a background is so much like the normal one that the same text stands on both.
---@param palette codex-chat.Palette
---@param bg integer?
---@param most number
---@return boolean
local function is_near(palette, bg, most)
  return bg ~= nil and contrast.ratio(palette.bg, bg) <= most
end

--- The nearest colour that can be read on a background.
---@param palette codex-chat.Palette
---@param fg integer
---@param bg integer
---@param ratio? number
---@return integer
local function readable(palette, fg, bg, ratio)
  ratio = ratio or least
  local function is_good(color)
    return contrast.ratio(color, bg) >= ratio
      and (contrast.luminance(color) > contrast.luminance(bg)) == palette.is_dark
  end
  local black_is_better = contrast.ratio(0x000000, bg) > contrast.ratio(0xffffff, bg)
  return contrast.blend(fg, palette.far, is_good, palette.snap)
    or (black_is_better and 0x000000 or 0xffffff)
end

--- The colour that a group's text is known by: a block of colour lends its background's.
---@param look codex-chat.Look
---@return integer?
local function known_by(look)
  local fg, bg = look.fg, look.bg
  if fg and bg and contrast.chroma(bg) > contrast.chroma(fg) + colorful then
    return bg
  end
  return fg
end

--- Text in the colour of a group.
---@param palette codex-chat.Palette
---@param source string
---@param bg integer the hardest background that it stands on
---@param ratio? number
---@return codex-chat.Shade
function M.text(palette, source, bg, ratio)
  local look = palette.look(source)
  local fg = known_by(look) or palette.fg
  local found = readable(palette, fg, bg, ratio)
  if found == fg and look.is_plain then
    return { keep = source }
  end
  return { like = source, fg = found }
end

--- Text that stands back: dim even where the scheme has no colour for the group.
---@param palette codex-chat.Palette
---@param source string
---@param bg integer
---@return codex-chat.Shade
function M.dim(palette, source, bg)
  if known_by(palette.look(source)) then
    return M.text(palette, source, bg)
  end
  local fg = contrast.mix(palette.fg, palette.bg, 0.4)
  return { like = source, fg = readable(palette, fg, bg) }
end

--- A line that only decorates.
---@param palette codex-chat.Palette
---@param source string
---@return codex-chat.Shade
function M.decoration(palette, source)
  return M.text(palette, source, palette.bg, least_decoration)
end

--- Text on a background of its own.
---@param palette codex-chat.Palette
---@param source string
---@return codex-chat.Shade
function M.solid(palette, source)
  local look = palette.look(source)
  local fg, bg = look.fg or palette.fg, look.bg or palette.bg
  if contrast.ratio(fg, bg) >= least then
    return { keep = source }
  end
  local white, black = contrast.ratio(0xffffff, bg), contrast.ratio(0x000000, bg)
  local far = white > black and 0xffffff or 0x000000
  local function is_good(color)
    return contrast.ratio(color, bg) >= least
  end
  return { like = source, fg = contrast.blend(fg, far, is_good, palette.snap) or far, bg = look.bg }
end

--- A background that is seen at once and lets text be read: a group's, or a fainter one.
---@param palette codex-chat.Palette
---@param source string
---@return codex-chat.Shade
function M.flash(palette, source)
  local look = palette.look(source)
  if look.bg and contrast.ratio(look.fg or palette.fg, look.bg) >= least then
    return { keep = source }
  end
  return { bg = M.tinted(palette, look.bg or palette.fg, 1.4) }
end

--- A key as it looks on a keyboard: on a background that is distinct from those around it.
---@param palette codex-chat.Palette
---@param around integer
---@return codex-chat.Shade
function M.key(palette, around)
  local function is_distinct(color)
    return contrast.ratio(color, around) >= 1.6
  end
  local bg = contrast.blend(around, palette.fg, is_distinct, palette.snap) or palette.bg
  return { fg = readable(palette, palette.fg, bg), bg = bg }
end

--- A faint background: the normal one with a little of a colour.
---@param palette codex-chat.Palette
---@param tint integer
---@param ratio number its contrast to the normal background; less where that leaves no room for text
---@return integer bg the normal one if there is no other
function M.tinted(palette, tint, ratio)
  local normal = math.min(least, contrast.ratio(palette.fg, palette.bg))
  local away = contrast.mix(palette.is_dark and 0x000000 or 0xffffff, tint, 0.06)
  for _, enough in ipairs({ ratio, 1.06 }) do
    local function is_seen(color)
      return contrast.ratio(color, palette.bg) >= enough
    end
    for _, target in ipairs({ tint, away }) do
      local bg = contrast.blend(palette.bg, target, is_seen, palette.snap)
      if bg and contrast.ratio(palette.fg, bg) >= normal then
        return bg
      end
    end
  end
  return palette.bg
end

--- The background of code: that of a group where it is faint and takes hardly any contrast from the
--- scheme's colours, else a darker one.
---@param palette codex-chat.Palette
---@return integer
function M.code(palette)
  local normal = contrast.ratio(palette.fg, palette.bg)
  for _, source in ipairs({ "ColorColumn", "NormalFloat" }) do
    local bg = palette.look(source).bg
    if
      is_near(palette, bg, 1.3)
      and contrast.distance(bg, palette.bg) >= 0.015
      and contrast.chroma(bg) < contrast.chroma(palette.bg) + colorful
      and contrast.ratio(palette.fg, bg) >= 0.93 * normal
    then
      return bg
    end
  end
  if not palette.is_dark then
    return M.tinted(palette, palette.fg, 1.07)
  end
  local darker = M.tinted(palette, 0x000000, 1.12)
  return darker ~= palette.bg and darker or M.tinted(palette, palette.fg, 1.12)
end

--- The lines of a diff: the group whose background they have, the one whose colour is mixed in
--- otherwise, and the backgrounds of a terminal with 256 colours.
local diffs = {
  { source = "DiffAdd", text = "Added", dark = 22, light = 194 },
  { source = "DiffDelete", text = "Removed", dark = 52, light = 224 },
}

--- The backgrounds of a diff's lines: the scheme's if both are faint, else mixed from its colours.
---@param palette codex-chat.Palette
---@return integer added
---@return integer removed
function M.diff(palette)
  local own, mixed = {}, {}
  for n, line in ipairs(diffs) do
    local bg = palette.look(line.source).bg
    local is_good = is_near(palette, bg, 1.8)
      and contrast.distance(bg, palette.bg) >= 0.03
      and contrast.chroma(bg) >= 0.01
      and contrast.ratio(palette.fg, bg) >= least
    own[n] = is_good and bg or nil
    if palette.snap then
      mixed[n] = contrast.xterm(palette.is_dark and line.dark or line.light)
      if contrast.ratio(palette.fg, mixed[n]) < least then
        mixed[n] = palette.bg
      end
    else
      local tint = known_by(palette.look(line.text)) or palette.fg
      mixed[n] = M.tinted(palette, tint, palette.is_dark and 1.25 or 1.15)
    end
  end
  local found = own[1] and own[2] and own or mixed
  return found[1], found[2]
end

--- Colours for the two who speak, if the scheme has no two that are apart.
local speakers = { dark = { 0x6cb6ff, 0xe38ce3 }, light = { 0x0a5ad0, 0xa6249d } }
local you = { "Title", "Directory", "DiagnosticInfo", "Identifier" }
local codex = { "Function", "Statement", "Special", "PreProc", "Type", "Constant", "String" }

---@param palette codex-chat.Palette
---@param sources string[]
---@param bg integer
---@return integer[] colors by the index of their source; greys and alarms are left out
local function hues(palette, sources, bg)
  local found = {}
  local alarms = { palette.look("DiagnosticError").fg, palette.look("DiagnosticWarn").fg }
  local function is_alarm(color)
    for _, alarm in pairs(alarms) do
      if contrast.distance(color, alarm) < 0.1 and contrast.hue_gap(color, alarm) < 30 then
        return true
      end
    end
    return false
  end
  for n, source in ipairs(sources) do
    local color = known_by(palette.look(source))
    color = color and readable(palette, color, bg)
    if color and contrast.chroma(color) >= colorful and not is_alarm(color) then
      found[n] = color
    end
  end
  return found
end

--- The first two that are apart.
---@param ours table<integer, integer> colors; those in front are liked better
---@param theirs table<integer, integer>
---@return integer? ours
---@return integer? theirs
local function first_pair(ours, theirs)
  local most_ours, most_theirs = #you + 1, #codex + 1
  for rank = 2, most_ours + most_theirs do
    for n = math.max(1, rank - most_theirs), math.min(most_ours, rank - 1) do
      local one, other = ours[n], theirs[rank - n]
      if one and other and contrast.hue_gap(one, other) >= apart then
        return n, rank - n
      end
    end
  end
end

--- The two who speak, in hues that are apart: the scheme's own for headings and functions if they are.
---@param palette codex-chat.Palette
---@param bg integer the hardest background, as far as it is known
---@return { source: string, color: integer } you
---@return { source: string, color: integer } codex
function M.speakers(palette, bg)
  local ours, theirs = hues(palette, you, bg), hues(palette, codex, bg)
  local n, m = first_pair(ours, theirs)
  if not n then
    local own = palette.is_dark and speakers.dark or speakers.light
    ours[#you + 1] = readable(palette, own[1], bg)
    theirs[#codex + 1] = readable(palette, own[2], bg)
    n, m = first_pair(ours, theirs)
  end
  n, m = n or #you + 1, m or #codex + 1
  local one = { source = you[n] or "Title", color = ours[n] }
  return one, { source = codex[m] or "Title", color = theirs[m] }
end

--- One who speaks, on a band.
---@param palette codex-chat.Palette
---@param speaker { source: string, color: integer }
---@param bg integer
---@return codex-chat.Shade
function M.speaker(palette, speaker, bg)
  return { like = speaker.source, fg = readable(palette, speaker.color, bg) }
end

--- The background on which text is hardest to read: the normal one, some others, or those of groups
--- that are not too different.
---@param palette codex-chat.Palette
---@param others integer[]
---@param sources string[]
---@return integer
function M.hardest(palette, others, sources)
  local all = vim.list_extend({ palette.bg }, others)
  for _, source in ipairs(sources) do
    local bg = palette.look(source).bg
    if is_near(palette, bg, 1.6) then
      all[#all + 1] = bg
    end
  end
  local worst = all[1]
  for _, bg in ipairs(all) do
    local is_brighter = contrast.luminance(bg) > contrast.luminance(worst)
    if bg ~= worst and is_brighter == palette.is_dark then
      worst = bg
    end
  end
  return worst
end

--- A background to the window's edge; none where it would be the normal one, which may be the
--- terminal's own.
---@param palette codex-chat.Palette
---@param bg integer
---@return codex-chat.Shade
function M.band(palette, bg)
  return { bg = bg ~= palette.bg and bg or nil }
end

return M
