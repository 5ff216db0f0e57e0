--- Naming a conversation: in its front matter, as a line among others that stay as they are.
local M = {}

local codex = require("codex-chat.threads.codex")
local file = require("codex-chat.threads.file")
local say = require("codex-chat.message")

--- The document's lines with the name in the front matter; other lines stay as they are.
---@param path string
---@param name string
---@return boolean? ok
---@return string? err
local function write_name(path, name)
  local document = require("codex-chat.buffer.document")
  local text, err, stat = require("codex-chat.disk.look").read(path, document.max_bytes)
  if not text then
    return nil, err
  end
  local bom = text:match("^\239\187\191") or ""
  local lines = vim.split(text:sub(#bom + 1):gsub("\n$", ""), "\n", { plain = true })
  local ending = lines[1]:sub(-1) == "\r" and "\r" or ""
  local head = vim.tbl_map(function(line)
    return (line:gsub("\r$", ""))
  end, vim.list_slice(lines, 1, 250))
  for _, change in ipairs(document.meta_changes(head, { name = name })) do
    for _ = 1, change.count do
      table.remove(lines, change.row + 1)
    end
    for i = #change.lines, 1, -1 do
      table.insert(lines, change.row + 1, change.lines[i] .. ending)
    end
  end
  lines[1] = bom .. lines[1]
  -- Its age is that of its last words.
  return document.write(path, lines, stat)
end

---@param chat codex-chat.Chat
---@param name string
local function set_name(chat, name)
  require("codex-chat.buffer.defer_edits").run(chat, function()
    local blocks = require("codex-chat.buffer.blocks")
    local last = math.min(250, blocks.prompt_row(chat))
    local head = vim.api.nvim_buf_get_lines(chat.buf, 0, last, false)
    blocks.machine(chat, function()
      for _, change in
        ipairs(require("codex-chat.buffer.document").meta_changes(head, { name = name }))
      do
        blocks.splice(chat, change.row, change.count, change.lines)
      end
    end)
    if chat.host ~= "attached" then
      require("codex-chat.chat.write").save(chat)
    end
    require("codex-chat.ui.refresh").show(chat)
  end)
end

--- Puts `name` into the front matter, and tells Codex.
---@param it codex-chat.ThreadSummary
---@param name string
function M.rename(it, name)
  local clean = require("codex-chat.threads.title").clean(name)
  if clean == "" then
    say.error("a name needs at least one character that can be seen.")
    return
  end
  local function renamed()
    say.info(("the conversation is named “%s”."):format(clean))
    codex.tell(it, "threads/name", { name = clean }, function() end)
  end
  local chat = file.chat_of(it.path)
  if not chat or not vim.api.nvim_buf_is_loaded(chat.buf) then
    if file.is_free(it, "rename") then
      file.with_file(it, function(release)
        local ok, err = write_name(it.path, clean)
        release()
        if ok then
          renamed()
        else
          say.error(("%s was not written: %s."):format(file.short(it.path), err))
        end
      end)
    end
  elseif not file.is_elsewhere(it, "rename") then
    set_name(chat, clean)
    renamed()
  end
end

--- Asks for a name, with the present one to be edited.
---@param it codex-chat.ThreadSummary
function M.ask(it)
  vim.ui.input({ prompt = "Name: ", default = it.name }, function(name)
    if name and name ~= "" then
      M.rename(it, name)
    end
  end)
end

return M
