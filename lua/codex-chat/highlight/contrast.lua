--- Arithmetic of colours: contrast as WCAG defines it, and mixing that looks even to the eye.
---
--- A colour is a number, 0xRRGGBB. Lightness, chroma and hue are those of OKLab.
local M = {}

-- To compile what runs once for each colour scheme takes longer than to run it.
if jit then
  jit.off(true, true)
end

--- The linear value of each sRGB byte; WCAG 2.2, "relative luminance".
---@type table<integer, number>
local linear = {}
for byte = 0, 255 do
  local value = byte / 255
  linear[byte] = value <= 0.04045 and value / 12.92 or ((value + 0.055) / 1.055) ^ 2.4
end

---@param color integer
---@return number red linear, like the others
---@return number green
---@return number blue
local function channels(color)
  local green = math.floor(color / 256)
  local red = math.floor(green / 256)
  return linear[red], linear[green - red * 256], linear[color - green * 256]
end

---@param value number linear
---@return integer byte
local function to_byte(value)
  value = value <= 0.0031308 and value * 12.92 or 1.055 * value ^ (1 / 2.4) - 0.055
  return math.floor(math.min(math.max(value, 0), 1) * 255 + 0.5)
end

--- How bright a colour is, from 0 (black) to 1 (white).
---@param color integer
---@return number
function M.luminance(color)
  local red, green, blue = channels(color)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
end

--- The contrast of two colours, from 1 to 21.
---@param a integer
---@param b integer
---@return number
function M.ratio(a, b)
  local one, other = M.luminance(a), M.luminance(b)
  return (math.max(one, other) + 0.05) / (math.min(one, other) + 0.05)
end

---@param color integer
---@return number lightness from 0 to 1
---@return number a from green to red
---@return number b from blue to yellow
local function to_lab(color)
  local red, green, blue = channels(color)
  local l = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ^ (1 / 3)
  local m = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ^ (1 / 3)
  local s = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ^ (1 / 3)
  return 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s
end

---@param lightness number
---@param a number
---@param b number
---@return integer color
local function from_lab(lightness, a, b)
  local l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ^ 3
  local m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ^ 3
  local s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ^ 3
  local red = to_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s)
  local green = to_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s)
  local blue = to_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)
  return (red * 256 + green) * 256 + blue
end

--- How colourful a colour is: 0 for greys, 0.04 for a tint, up to 0.32.
---@param color integer
---@return number
function M.chroma(color)
  local _, a, b = to_lab(color)
  return math.sqrt(a * a + b * b)
end

--- How far apart two hues are, in degrees from 0 to 180.
---@param one integer
---@param other integer
---@return number
function M.hue_gap(one, other)
  local _, a, b = to_lab(one)
  local _, c, d = to_lab(other)
  local gap = math.abs(math.deg(math.atan2(b, a) - math.atan2(d, c)))
  return math.min(gap, 360 - gap)
end

--- How far apart two colours look: 0.02 is just visible side by side.
---@param one integer
---@param other integer
---@return number
function M.distance(one, other)
  local l1, a1, b1 = to_lab(one)
  local l2, a2, b2 = to_lab(other)
  return math.sqrt((l1 - l2) ^ 2 + (a1 - a2) ^ 2 + (b1 - b2) ^ 2)
end

--- Mixes two colours.
---@param from integer
---@param to integer
---@param share number of the second, from 0 to 1
---@return integer
function M.mix(from, to, share)
  local l1, a1, b1 = to_lab(from)
  local l2, a2, b2 = to_lab(to)
  return from_lab(l1 + (l2 - l1) * share, a1 + (a2 - a1) * share, b1 + (b2 - b1) * share)
end

--- Mixes as little of `to` into `from` as it takes. The more there is of it, the better it must be.
---@param from integer
---@param to integer
---@param is_good fun(color: integer): boolean
---@param snap? fun(color: integer): integer the nearest colour that can be shown
---@return integer? color nil: not even `to` is good
function M.blend(from, to, is_good, snap)
  if is_good(from) then
    return from
  elseif not is_good(to) then
    return nil
  end
  local bad, good, found = 0, 1, to
  for _ = 1, snap and 4 or 7 do
    local share = (bad + good) / 2
    local color = M.mix(from, to, share)
    if is_good(color) then
      good, found = share, color
    else
      bad = share
    end
  end
  -- The nearest colour of a terminal may fall short.
  while snap do
    local color = snap(found)
    if is_good(color) then
      return color
    elseif good >= 1 then
      return nil
    end
    good = good + 0.05
    found = M.mix(from, to, math.min(good, 1))
  end
  return found
end

--- The 16 colours of xterm. Many terminals have others.
local basic = {
  [0] = 0x000000,
  0xcd0000,
  0x00cd00,
  0xcdcd00,
  0x0000ee,
  0xcd00cd,
  0x00cdcd,
  0xe5e5e5,
  0x7f7f7f,
  0xff0000,
  0x00ff00,
  0xffff00,
  0x5c5cff,
  0xff00ff,
  0x00ffff,
  0xffffff,
}
local levels = { [0] = 0, 95, 135, 175, 215, 255 }

--- A colour of a terminal with 256.
---@param index integer
---@return integer
function M.xterm(index)
  if index < 16 then
    return basic[index]
  elseif index >= 232 then
    return (8 + (index - 232) * 10) * 0x010101
  end
  local n = index - 16
  local red, green, blue = math.floor(n / 36), math.floor(n / 6) % 6, n % 6
  return (levels[red] * 256 + levels[green]) * 256 + levels[blue]
end

---@param byte integer
---@return integer level the nearest of `levels`
local function level(byte)
  return byte < 48 and 0 or byte < 115 and 1 or math.min(math.floor((byte - 35) / 40), 5)
end

--- The nearest of the colours 16 to 255, which all terminals with 256 colours have alike.
---@param color integer
---@return integer index
function M.nearest(color)
  local red, green, blue = math.floor(color / 65536), math.floor(color / 256) % 256, color % 256
  local cube = 16 + 36 * level(red) + 6 * level(green) + level(blue)
  local mean = math.floor((red + green + blue) / 3)
  local grey = 232 + math.min(math.max(math.floor((mean - 3) / 10), 0), 23)
  return M.distance(color, M.xterm(grey)) < M.distance(color, M.xterm(cube)) and grey or cube
end

return M
