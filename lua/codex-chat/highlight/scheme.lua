--- Reads the colours of the colour scheme, as a GUI shows them or a terminal with 256 colours.
local M = {}

local api = vim.api
local contrast = require("codex-chat.highlight.contrast")

--- A group's colours as they are seen.
---@class (exact) codex-chat.Look
---@field fg integer?
---@field bg integer?
---@field is_plain boolean it has no background and is not reversed

--- The colours of a scheme.
---@class (exact) codex-chat.Palette
---@field fg integer of normal text; assumed where the scheme has none
---@field bg integer
---@field is_dark boolean
---@field far integer white where the background is dark, else black
---@field snap? fun(color: integer): integer the nearest colour that the terminal has
---@field look fun(name: string): codex-chat.Look

--- Between black and the usual dark greys, and between white and paper: what a terminal's own
--- background may be, with the contrast on the safe side.
local assumed = {
  dark = { fg = 0xd0d0d0, bg = 0x1e1e1e },
  light = { fg = 0x303030, bg = 0xf0f0f0 },
}

--- The groups' definitions, links followed, each read once.
---@return fun(name: string): vim.api.keyset.get_hl_info
function M.reader()
  local known = {}
  return function(name)
    known[name] = known[name] or api.nvim_get_hl(0, { name = name, link = false, create = false })
    return known[name]
  end
end

---@param color integer
---@return integer
local function snap(color)
  return contrast.xterm(contrast.nearest(color))
end

--- The scheme's colours in a GUI (or with 'termguicolors'), or else in a terminal.
---@param raw fun(name: string): vim.api.keyset.get_hl_info
---@param is_cterm boolean
---@return codex-chat.Palette
function M.palette(raw, is_cterm)
  local function colors(hl)
    if is_cterm then
      return hl.ctermfg and contrast.xterm(hl.ctermfg),
        hl.ctermbg and contrast.xterm(hl.ctermbg),
        hl.cterm and hl.cterm.reverse
    end
    return hl.fg, hl.bg, hl.reverse
  end
  local fg, bg = colors(raw("Normal"))
  local is_dark = vim.o.background == "dark"
  if fg and bg then
    is_dark = contrast.luminance(fg) > contrast.luminance(bg)
  elseif bg then
    is_dark = contrast.luminance(bg) < 0.18
  end
  local default = is_dark and assumed.dark or assumed.light
  fg, bg = fg or default.fg, bg or default.bg
  local known = {}
  return {
    fg = fg,
    bg = bg,
    is_dark = is_dark,
    far = is_dark and 0xffffff or 0x000000,
    snap = is_cterm and snap or nil,
    look = function(name)
      local look = known[name]
      if not look then
        local own_fg, own_bg, is_reverse = colors(raw(name))
        look = { fg = own_fg, bg = own_bg, is_plain = not own_bg and not is_reverse }
        if is_reverse then
          look.fg, look.bg = own_bg or bg, own_fg or fg
        end
        known[name] = look
      end
      return look
    end,
  }
end

return M
