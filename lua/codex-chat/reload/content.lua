--- Reads a changed file and finds its lines as Neovim would.
---
--- Everything that cannot be decided here for certain is an error, and Neovim reads the file itself.
local M = {}

---@class (exact) codex-chat.Content a file as a buffer holds it
---@field lines string[] none in an empty file
---@field fileencoding string
---@field fileformat "unix"|"dos"
---@field bomb boolean
---@field endofline boolean
---@field stamp string changes whenever the file does
---@field is_settled boolean whether a change after it was read must have another stamp

--- Two writes within one tick of the kernel's clock (10 ms at most) may leave the same times.
local tick_ns = 50 * 1000 * 1000

--- SECURITY: a path that has become a pipe would block without this.
local flags = bit.bor(vim.uv.constants.O_RDONLY, vim.uv.constants.O_NONBLOCK)

---@param stat uv.fs_stat.result
---@return string
local function stamp(stat)
  local m, c = stat.mtime, stat.ctime
  return table.concat({ stat.dev, stat.ino, stat.size, m.sec, m.nsec, c.sec, c.nsec }, " ")
end

--- Something that changes whenever the file does; nil if there is no plain file.
---@param path string
---@return string?
function M.stamp(path)
  local stat = vim.uv.fs_stat(path)
  return stat and stat.type == "file" and stamp(stat) or nil
end

---@param path string
---@param max_bytes integer
---@return string? bytes
---@return uv.fs_stat.result|string stat or error
local function read(path, max_bytes)
  local fd, err = vim.uv.fs_open(path, flags, 0)
  if not fd then
    return nil, err or "cannot be opened"
  end
  local stat = vim.uv.fs_fstat(fd)
  local bytes
  if stat and stat.type == "file" and stat.size <= max_bytes then
    -- One more byte shows that it has grown.
    bytes = vim.uv.fs_read(fd, stat.size + 1, 0)
  end
  local after = vim.uv.fs_fstat(fd)
  vim.uv.fs_close(fd)
  if not bytes or not stat or not after or #bytes ~= stat.size or stamp(stat) ~= stamp(after) then
    return nil, "is not a plain file of that size, or is being written"
  end
  return bytes, stat
end

--- Patterns of the characters that UTF-8 writes in more than one byte (RFC 3629).
local multibyte = {
  "[\194-\223][\128-\191]",
  "\224[\160-\191][\128-\191]",
  "[\225-\236\238\239][\128-\191][\128-\191]",
  "\237[\128-\159][\128-\191]",
  "\240[\144-\191][\128-\191][\128-\191]",
  "[\241-\243][\128-\191][\128-\191][\128-\191]",
  "\244[\128-\143][\128-\191][\128-\191]",
}

---@param text string
---@return boolean
local function is_ascii(text)
  return not text:find("[\128-\255]")
end

---@param text string
---@return boolean
local function is_utf8(text)
  for _, pattern in ipairs(multibyte) do
    text = text:gsub(pattern, " ")
  end
  return is_ascii(text)
end

--- Decodes the bytes by the buffer's 'fileencoding', or by the one that Neovim would find now: an agent
--- often writes UTF-8 where there was latin1.
---@param bytes string
---@param encoding string
---@return string? text
---@return string encoding
local function decode(bytes, encoding)
  if is_ascii(bytes) then
    local is_known = encoding == "utf-8" or encoding == "latin1" or encoding:find("^iso%-8859")
    return is_known and bytes or nil, encoding
  end
  local tried = vim.split(vim.o.fileencodings, ",", { plain = true })
  local valid = is_utf8(bytes)
  if valid and (encoding == "utf-8" or vim.list_contains(tried, "utf-8")) then
    return bytes, "utf-8"
  end
  if encoding == "utf-8" then
    encoding = vim.list_contains(tried, "latin1") and "latin1" or ""
  end
  if encoding ~= "latin1" and not encoding:find("^iso%-8859") then
    return nil, encoding
  end
  return vim.iconv(bytes, encoding, "utf-8"), encoding
end

---@param text string
---@param format string the buffer's
---@return "unix"|"dos"?
local function format_of(text, format)
  local _, all = text:gsub("\n", "")
  local _, dos = text:gsub("\r\n", "")
  if all == 0 then
    return format --[[@as "unix"|"dos"]]
  end
  local may = vim.split(vim.o.fileformats, ",", { plain = true })
  if dos == all and (format == "dos" or vim.list_contains(may, "dos")) then
    return "dos"
  end
  return (format == "unix" or vim.list_contains(may, "unix")) and "unix" or nil
end

---@param text string
---@return string[]
local function split(text)
  local lines = {}
  if text == "" then
    return lines
  end
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

--- What the buffer holds once it has read its file again.
---@param buf integer loaded, with a name
---@param max_bytes integer
---@return codex-chat.Content?
---@return string? why not
function M.read(buf, max_bytes)
  local bo = vim.bo[buf]
  local bytes, stat = read(vim.api.nvim_buf_get_name(buf), max_bytes)
  if not bytes or type(stat) ~= "table" then
    return nil, stat --[[@as string]]
  end
  -- A zero byte stands for a line break in a buffer's lines, and CTRL-Z may end a file.
  if bo.binary or bo.fileformat == "mac" or bytes:find("%z") or bytes:sub(-1) == "\26" then
    return nil, "is not plain text"
  end
  local text, encoding = decode(bytes, bo.fileencoding ~= "" and bo.fileencoding or "utf-8")
  if not text then
    return nil, "has another encoding"
  end
  local bomb = encoding == "utf-8" and vim.startswith(text, "\239\187\191")
  text = bomb and text:sub(4) or text
  local format = format_of(text, bo.fileformat)
  if not format then
    return nil, "has other line endings"
  end
  local lines = split(text)
  if format == "dos" then
    for i, line in ipairs(lines) do
      lines[i] = line:gsub("\r$", "")
    end
  end
  local sec, usec = vim.uv.gettimeofday()
  -- SECURITY: the agent can set the other times, and a file of the future would be looked at for ever.
  local age_ns = (sec - stat.ctime.sec) * 1e9 + usec * 1e3 - stat.ctime.nsec
  return {
    lines = lines,
    fileencoding = encoding,
    fileformat = format,
    bomb = bomb,
    endofline = text == "" or text:sub(-1) == "\n",
    stamp = stamp(stat),
    is_settled = age_ns > tick_ns or age_ns < 0,
  }
end

return M
