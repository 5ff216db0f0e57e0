--- The highlight groups of a chat. Colour schemes and users may set each of them.
---
--- A group `CodexChatYou` is a link by default, to `CodexChat.You`, which is defined again for each
--- colour scheme: a link to one of the scheme's groups where that can be read, else a colour near it.
--- So whatever a user or a scheme says of `CodexChatYou` wins, before or after.
local M = {}

local api = vim.api
local contrast = require("codex-chat.highlight.contrast")
local prose = require("codex-chat.highlight.prose")
local scheme = require("codex-chat.highlight.scheme")
local shades = require("codex-chat.highlight.shades")

-- See contrast.lua.
if jit then
  jit.off(true, true)
end

--- Text, which stands on the normal background, on that of floats and on the faint ones below.
---@type table<string, string>
local texts = {
  -- A call: the mark in front of it, and what it is about.
  CodexChatDone = "DiagnosticOk",
  CodexChatFailed = "DiagnosticError",
  CodexChatChanged = "DiagnosticWarn",
  CodexChatCommand = "Normal",
  CodexChatPath = "Directory",
  -- Notices.
  CodexChatError = "DiagnosticError",
  CodexChatNote = "DiagnosticInfo",
  CodexChatWarning = "DiagnosticWarn",
  CodexChatHunk = "Special",
  -- A question of Codex's.
  CodexChatAsks = "DiagnosticWarn",
  -- The prompt.
  CodexChatRunning = "DiagnosticInfo",
  CodexChatWaiting = "DiagnosticWarn",
  -- A review.
  CodexChatReviewTitle = "Title",
  CodexChatReviewFile = "Normal",
  CodexChatReviewCurrent = "CursorLineNr",
  CodexChatReviewChanged = "Changed",
  CodexChatReviewComment = "DiagnosticInfo",
  CodexChatReviewCommentBar = "DiagnosticInfo",
  CodexChatReviewCommentGone = "DiagnosticWarn",
}

--- Text that stands back.
---@type table<string, string>
local dims = {
  CodexChatVerb = "Comment",
  CodexChatMuted = "Comment",
  CodexChatFold = "Comment",
  CodexChatThinking = "Comment",
  CodexChatComment = "Comment",
  CodexChatCodeLabel = "Comment",
  CodexChatKeyText = "Comment",
  CodexChatHint = "Comment",
  CodexChatQueued = "Comment",
}

--- What is no text: a rule beside a heading, the frame of a table.
---@type table<string, string>
local decorations = {
  CodexChatBorder = "NonText",
}

--- Text on a background of its own.
---@type table<string, string>
local solids = {
  CodexChatAsked = "IncSearch",
  CodexChatTitle = "WinBar",
  CodexChatReviewCommentText = "NormalFloat",
}

--- What a terminal with fewer than 256 colours shows: there a faint background would be a loud one.
---@type table<string, vim.api.keyset.highlight>
local few_colors = {
  CodexChatYou = { ctermfg = 6, cterm = { bold = true } },
  CodexChatCodex = { ctermfg = 5, cterm = { bold = true } },
  CodexChatKey = { cterm = { bold = true, reverse = true } },
  CodexChatReloaded = { link = "Visual" },
  CodexChatReviewHeader = { cterm = { bold = true } },
  CodexChatReviewRemoved = { link = "DiffDelete" },
}

--- The groups' shades in one of the two sorts of colours.
---@param palette codex-chat.Palette
---@return table<string, codex-chat.Shade>
---@return table<string, codex-chat.Shade> prose by the scheme's group
local function shades_of(palette)
  local warning = palette.look("DiagnosticWarn").fg or palette.fg
  local asks = shades.tinted(palette, warning, palette.is_dark and 1.16 or 1.12)
  local header = shades.tinted(palette, palette.fg, palette.is_dark and 1.16 or 1.12)
  local code = shades.code(palette)
  local added, removed = shades.diff(palette)
  local near = { "NormalFloat", "CursorLine", "WinBar", "WinBarNC" }
  local base = shades.hardest(palette, { asks, code, header }, near)
  local you, codex = shades.speakers(palette, base)
  local you_band = shades.tinted(palette, you.color, palette.is_dark and 1.16 or 1.12)
  base = shades.hardest(palette, { base, you_band }, {})
  local on_added = shades.hardest(palette, { base, added }, {})
  local on_removed = shades.hardest(palette, { base, removed }, {})
  local on_diff = shades.hardest(palette, { on_added, on_removed }, {})

  local found = {
    CodexChatYou = shades.speaker(palette, you, base),
    CodexChatCodex = shades.speaker(palette, codex, base),
    CodexChatYouBand = shades.band(palette, you_band),
    CodexChatAsksLine = shades.band(palette, asks),
    CodexChatCodeLine = shades.band(palette, code),
    CodexChatAddedLine = shades.band(palette, added),
    CodexChatRemovedLine = shades.band(palette, removed),
    CodexChatReviewRemoved = shades.band(palette, removed),
    CodexChatReviewHeader = shades.band(palette, header),
    CodexChatReloaded = shades.flash(palette, "Visual"),
    CodexChatLineNr = shades.dim(palette, "LineNr", on_diff),
    CodexChatKey = shades.key(palette, asks),
    CodexChatAdded = shades.text(palette, "Added", on_added),
    CodexChatRemoved = shades.text(palette, "Removed", on_removed),
  }
  -- Several groups have the same source.
  local by_source = {}
  for name, source in pairs(texts) do
    by_source[source] = by_source[source] or shades.text(palette, source, base)
    found[name] = by_source[source]
  end
  by_source = {}
  for name, source in pairs(dims) do
    by_source[source] = by_source[source] or shades.dim(palette, source, base)
    found[name] = by_source[source]
  end
  for name, source in pairs(decorations) do
    found[name] = shades.decoration(palette, source)
  end
  for name, source in pairs(solids) do
    found[name] = shades.solid(palette, source)
  end
  return found, prose.shades(palette, base)
end

--- How the letters of a group look, apart from colours.
local letters = {
  "bold",
  "underline",
  "undercurl",
  "underdouble",
  "underdotted",
  "underdashed",
  "strikethrough",
  "altfont",
  "sp",
}
--- Comments and diagnostics are often slanted, which is too much where most of a line is such a text.
local italic = { CodexChatComment = true, CodexChatHint = true, CodexChatThinking = true }

--- Whether a group is slanted where its source is; emphasis in an answer must be.
---@param name string
---@return boolean
local function may_slant(name)
  return italic[name] or name:find("^CodexChat%.markup") ~= nil
end

local bold = { CodexChatYou = true, CodexChatCodex = true, CodexChatKey = true }

---@param name string
---@param raw fun(name: string): vim.api.keyset.get_hl_info
---@param gui codex-chat.Shade
---@param cterm codex-chat.Shade? nil: a terminal shows the same as a GUI, or has few colours
---@param few vim.api.keyset.highlight? what one of few colours shows
---@return vim.api.keyset.highlight
local function definition(name, raw, gui, cterm, few)
  if few and few.link then
    return few
  end
  local function from(shade)
    local source = shade.keep or shade.like
    return source and raw(source) or {}
  end
  local source = from(gui)
  local is_same = gui.keep and (not cterm or cterm.keep == gui.keep)
  if is_same and not few and (may_slant(name) or not source.italic) then
    return { link = gui.keep }
  end
  local found = {
    fg = gui.keep and source.fg or gui.fg,
    bg = gui.keep and source.bg or gui.bg,
    reverse = gui.keep and source.reverse or nil,
    italic = may_slant(name) and source.italic or nil,
  }
  for _, letter in ipairs(letters) do
    found[letter] = source[letter]
  end
  found.bold = bold[name] or found.bold
  if few then
    return vim.tbl_extend("force", found, few)
  end
  local term = cterm or gui
  source = from(term)
  found.cterm = vim.tbl_extend("force", source.cterm or {}, {
    reverse = term.keep and source.cterm and source.cterm.reverse or false,
    bold = bold[name],
    italic = may_slant(name) and source.cterm and source.cterm.italic or false,
  })
  if term.keep or not cterm then
    found.ctermfg, found.ctermbg = source.ctermfg, term.keep and source.ctermbg or nil
  else
    found.ctermfg = cterm.fg and contrast.nearest(cterm.fg)
    found.ctermbg = cterm.bg and contrast.nearest(cterm.bg)
  end
  return found
end

--- Defines the groups from the present colour scheme. Those that the user or the scheme has set stay.
function M.define()
  local raw = scheme.reader()
  local is_few = (tonumber(vim.fn.eval("&t_Co")) or 256) < 256
  local few = is_few and few_colors or {}
  local gui, words = shades_of(scheme.palette(raw, false))
  local is_cterm = not vim.o.termguicolors and not is_few
  local cterm, term_words = {}, {}
  if is_cterm then
    cterm, term_words = shades_of(scheme.palette(raw, true))
  end
  local links = {}
  for name, shade in pairs(gui) do
    local inner = "CodexChat." .. name:sub(#"CodexChat" + 1)
    api.nvim_set_hl(0, inner, definition(name, raw, shade, cterm[name], few[name]))
    links[#links + 1] = ("highlight default link %s %s"):format(name, inner)
  end
  for source, shade in pairs(words) do
    local name = prose.group(source)
    local found = definition(name, raw, shade, term_words[source])
    -- A link to the group itself follows what is set later.
    api.nvim_set_hl(0, name, (is_few or found.link) and { link = source } or found)
  end
  -- A link of nvim_set_hl() would make the user's own `:highlight link`, without !, do nothing.
  api.nvim_exec2(table.concat(links, "\n"), {})
end

return M
