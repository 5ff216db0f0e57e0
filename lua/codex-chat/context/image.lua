--- Resolves mentions of pictures, from a file or the clipboard; the type is known by the first bytes.
local M = {}

--- The largest picture that is sent: every request of the conversation sends it again.
local max_bytes = 8 * 1024 * 1024

local magic = {
  { "^\137PNG\r\n\26\n", "image/png" },
  { "^\255\216\255", "image/jpeg" },
  { "^GIF8[79]a", "image/gif" },
  { "^RIFF....WEBP", "image/webp" },
}

--- The MIME type of a picture that begins with these bytes.
---@param bytes string
---@return string?
function M.mime(bytes)
  for _, kind in ipairs(magic) do
    if bytes:find(kind[1]) then
      return kind[2]
    end
  end
end

---@param bytes string
---@param label string
---@return codex-chat.ContextPart?
---@return string? err
local function of_bytes(bytes, label)
  if #bytes > max_bytes then
    return nil, ("%s is larger than %d MB"):format(label, max_bytes / 1024 / 1024)
  end
  local mime = M.mime(bytes)
  if not mime then
    return nil, ("%s is not a PNG, JPEG, GIF or WebP picture"):format(label)
  end
  return { label = label, image = ("data:%s;base64,%s"):format(mime, vim.base64.encode(bytes)) }
end

--- Reads an open picture, and closes it.
---@param fd integer
---@param label string
---@return codex-chat.ContextPart?
---@return string? err
function M.of_open(fd, label)
  local bytes, err = require("codex-chat.disk.look").read_open(fd, label, max_bytes)
  if not bytes then
    return nil, err
  end
  return of_bytes(bytes, label)
end

---@return codex-chat.ContextPart?
---@return string? err
local function of_clipboard()
  for _, argv in ipairs({
    { "wl-paste", "--no-newline", "--type", "image/png" },
    { "xclip", "-selection", "clipboard", "-target", "image/png", "-out" },
  }) do
    local programs = require("codex-chat.outside.programs")
    argv[1] = programs.find(argv[1])
    if argv[1] then
      local run = require("codex-chat.async").system
      local ok, out = pcall(run, argv, { timeout = 3000, env = programs.env() })
      if ok and out.code == 0 and out.stdout ~= "" then
        return of_bytes(out.stdout, "a picture from the clipboard")
      end
    end
  end
  return nil, "there is no picture on the clipboard, or neither wl-paste nor xclip to read it"
end

--- `@image`, the picture on the clipboard, or `@image:path`. The path may be anywhere, because the user
--- names it; but a link in a project must not lead out of it.
---@param mention codex-chat.Mention
---@param root string
---@return codex-chat.ContextPart?
---@return string? err
function M.get(mention, root)
  local name = mention.argument
  if not name then
    return of_clipboard()
  end
  local path = name:find("^[/~]") and vim.fn.fnamemodify(name, ":p") or (root .. "/" .. name)
  local label = require("codex-chat.context.part").shown(vim.fs.basename(path))
  local bytes, err = require("codex-chat.outside.named_file").read(path, max_bytes)
  if not bytes then
    return nil, ("the picture %s cannot be read (%s)"):format(label, err)
  end
  return of_bytes(bytes, label)
end

return M
