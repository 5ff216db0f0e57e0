--- SHA-256 of a short text. Neovim's own checks itself at its first call, with a million bytes: two
--- milliseconds before the first window.
local M = {}

local bit = require("bit")
local band, bnot, bxor = bit.band, bit.bnot, bit.bxor
local ror, rshift, tobit = bit.ror, bit.rshift, bit.tobit

--- The first 32 bits of the fractional part of a root, as FIPS 180-4 makes its constants.
---@param root number
---@return integer
local function fraction(root)
  return tobit(math.floor((root - math.floor(root)) * 2 ^ 32))
end

---@type integer[], integer[]
local start, rounds = {}, {}
local number = 2
while #rounds < 64 do
  local is_prime = true
  for divisor = 2, math.floor(math.sqrt(number)) do
    is_prime = is_prime and number % divisor ~= 0
  end
  if is_prime then
    if #start < 8 then
      start[#start + 1] = fraction(math.sqrt(number))
    end
    rounds[#rounds + 1] = fraction(number ^ (1 / 3))
  end
  number = number + 1
end

---@param text string padded
---@param at integer where a block of 64 bytes begins, from 1
---@param state integer[]
local function add_block(text, at, state)
  local w = {}
  for i = 0, 15 do
    local b1, b2, b3, b4 = text:byte(at + i * 4, at + i * 4 + 3)
    w[i] = tobit(((b1 * 256 + b2) * 256 + b3) * 256 + b4)
  end
  for i = 16, 63 do
    local x, y = w[i - 15], w[i - 2]
    local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
    local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
    w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
  end
  local a, b, c, d, e, f, g, h = unpack(state)
  for i = 0, 63 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local t1 = h + s1 + bxor(band(e, f), band(bnot(e), g)) + rounds[i + 1] + w[i]
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local t2 = s0 + bxor(band(a, b), band(a, c), band(b, c))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
  end
  for i, value in ipairs({ a, b, c, d, e, f, g, h }) do
    state[i] = tobit(state[i] + value)
  end
end

---@param text string
---@return string hex as of `vim.fn.sha256`
function M.sha256(text)
  local state = { unpack(start) }
  local bits = #text * 8
  local length = ("\0"):rep(4)
    .. string.char(
      math.floor(bits / 2 ^ 24) % 256,
      math.floor(bits / 2 ^ 16) % 256,
      math.floor(bits / 2 ^ 8) % 256,
      bits % 256
    )
  local padded = text .. "\128" .. ("\0"):rep((55 - #text) % 64) .. length
  for at = 1, #padded, 64 do
    add_block(padded, at, state)
  end
  local hex = {}
  for i, value in ipairs(state) do
    hex[i] = bit.tohex(value)
  end
  return table.concat(hex)
end

return M
