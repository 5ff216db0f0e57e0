--- Prompt templates: ours, those of the configuration, and markdown files of the user's.
local M = {}

local builtin = {
  explain = "Explain {selection}: what it does, why it is done this way, and what would surprise a reader. {input}",
  fix = "Find and mend what is wrong with {selection}. Run what proves it. {input}",
  test = "Write tests for {selection}, in the way of the tests that are there, and run them. {input}",
  document = "Document {selection}: what a caller must know, and nothing that the code says itself. {input}",
}

---@return string
local function dir()
  local configured = require("codex-chat.config").get().prompts_dir
  return vim.fn.expand(configured or (vim.fn.stdpath("config") .. "/codex-chat/prompts"))
end

--- The names of all templates, sorted.
---@return string[]
function M.names()
  local names =
    vim.tbl_extend("force", {}, builtin, require("codex-chat.config").get().prompts or {})
  for name, kind in vim.fs.dir(dir()) do
    local stem = name:match("^([%w_-]+)%.md$")
    if stem and kind ~= "directory" then
      names[stem] = true
    end
  end
  local list = vim.tbl_keys(names)
  table.sort(list)
  return list
end

--- The template of this name: a file comes before the configuration, and that before ours.
---@param name string
---@return string?
function M.get(name)
  if not name:match("^[%w_-]+$") then
    return nil
  end
  local file = io.open(("%s/%s.md"):format(dir(), name), "r")
  if file then
    local text = file:read("*a")
    file:close()
    return vim.trim(text)
  end
  return (require("codex-chat.config").get().prompts or {})[name] or builtin[name]
end

--- Puts words in place of the braces; what is left over is taken out.
---@param template string
---@param words table<string, string>
---@return string
local function fill(template, words)
  local text = template:gsub("{(%l+)}", function(key)
    return words[key]
  end)
  return vim.trim((text:gsub("[ \t]+\n", "\n")))
end

--- Sends a template from the prompt. `{selection}` is what was selected last in the file that the
--- user came from, else that file.
---@param chat codex-chat.Chat
---@param template string
---@param input string
function M.send(chat, template, input)
  local buf = require("codex-chat.context.resolve").origin()
  local selected = buf and vim.api.nvim_buf_get_mark(buf, "<")[1] > 0
  local text = fill(template, {
    input = input,
    selection = selected and "@selection" or "@buffer",
    file = "@buffer",
    diagnostics = "@diagnostics",
    filetype = buf and vim.bo[buf].filetype or "",
  })
  require("codex-chat.prompt").send_lines(chat, vim.split(text, "\n", { plain = true }))
end

--- `:[range]CodexChat prompt {name} [input]`
---@param args vim.api.keyset.create_user_command.command_args
---@param rest string
function M.command(args, rest)
  local name, input = rest:match("^(%S+)%s*(.*)$")
  local template = name and M.get(name)
  if not template then
    vim.notify(
      ("codex-chat: there is no prompt %s; there are %s."):format(
        name or "without a name",
        table.concat(M.names(), ", ")
      ),
      vim.log.levels.ERROR
    )
    return
  end
  if args.range > 0 then
    local text = fill(template, {
      input = input,
      selection = "the code above",
      file = "@buffer",
      diagnostics = "@diagnostics",
      filetype = vim.bo.filetype,
    })
    require("codex-chat.selection").send_range(args.line1, args.line2, text)
    return
  end
  local chats = require("codex-chat.chat")
  M.send(chats.here() or chats.latest(require("codex-chat.project").of_buf()), template, input)
end

return M
