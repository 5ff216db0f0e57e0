--- Resolves the mentions of a query, within the limits of Codex.
local M = {}

--- Codex accepts 1,048,576 characters a turn (0.171), including up to 200,000 of an older transcript.
M.max_bytes = 800000
--- All pictures of a query, in base64: the proxy passes 32 MiB a request.
local max_image_bytes = 16 * 1024 * 1024

---@type table<string, fun(mention: codex-chat.Mention, root: string): codex-chat.ContextPart?, string?>
local kinds = {
  path = function(mention, root)
    return require("codex-chat.context.file").of_path(mention, root)
  end,
  quickfix = function(_, root)
    return require("codex-chat.context.listing").of_quickfix(root)
  end,
  clipboard = function()
    return require("codex-chat.context.listing").of_clipboard()
  end,
  diff = function(_, root)
    return require("codex-chat.context.diff").get(root)
  end,
  image = function(mention, root)
    return require("codex-chat.context.image").get(mention, root)
  end,
  skill = function(mention, root)
    return require("codex-chat.context.skill").of_name(mention.argument, root)
  end,
}

--- Kinds about the file that the user came from.
---@type table<string, fun(buf: integer, root: string): codex-chat.ContextPart?, string?>
local of_origin = {
  buffer = function(buf, root)
    return require("codex-chat.context.file").of_buf(buf, root, {})
  end,
  selection = function(buf, root)
    return require("codex-chat.context.file").of_selection(buf, root)
  end,
  diagnostics = function(buf, root)
    return require("codex-chat.context.listing").of_diagnostics(buf, root)
  end,
}

---@param mention codex-chat.Mention
---@param root string
---@return codex-chat.ContextPart? part nil without an error if it is not a mention
---@return string? err
local function resolve(mention, root)
  if kinds[mention.kind] then
    return kinds[mention.kind](mention, root)
  end
  if mention.kind == "diagnostics" and mention.argument then
    return require("codex-chat.context.listing").of_diagnostics(nil, root)
  end
  local buf = require("codex-chat.context.origin").get()
  if not buf then
    return nil, "no other file is open"
  end
  return of_origin[mention.kind](buf, root)
end

--- Resolves all mentions of a query.
---@param text string
---@param root string
---@return codex-chat.ContextPart[]? parts nil if one cannot be resolved, or all together are too large
---@return string? err
function M.all(text, root)
  local parts, bytes, image_bytes = {}, #text, 0
  if bytes > M.max_bytes then
    return nil, ("The query is longer than %d kB, more than Codex takes"):format(M.max_bytes / 1000)
  end
  for _, mention in ipairs(require("codex-chat.context.mention").find(text)) do
    local found, err = resolve(mention, root)
    if err then
      return nil, ("%s: %s"):format(mention.text, err)
    end
    if found then
      bytes = bytes + #(found.text or "")
      image_bytes = image_bytes + #(found.image or "")
      if bytes > M.max_bytes then
        local message = "%s: with it the query is longer than %d kB, which is more than Codex takes"
        return nil, message:format(mention.text, M.max_bytes / 1000)
      end
      if image_bytes > max_image_bytes then
        local message = "%s: with it the pictures are larger than %d MB, which is too much at once"
        return nil, message:format(mention.text, max_image_bytes / 1024 / 1024 * 3 / 4)
      end
      parts[#parts + 1] = found
    end
  end
  return parts
end

--- The first mention that other programs must resolve, which may take seconds; nil if there is none.
---@param text string
---@return string?
function M.slow(text)
  for _, mention in ipairs(require("codex-chat.context.mention").find(text)) do
    if mention.kind == "diff" or (mention.kind == "image" and not mention.argument) then
      return mention.text
    end
  end
end

--- The line below a query that names its context.
---@param parts codex-chat.ContextPart[]
---@return string?
function M.line(parts)
  if #parts == 0 then
    return nil
  end
  local labels = vim.tbl_map(function(part)
    return (part.label:gsub("%c", " "))
  end, parts)
  return require("codex-chat.format").context_line(labels)
end

return M
