--- Prompt templates: built-in ones, those of the configuration, and the user's markdown files.
local M = {}

local say = require("codex-chat.message")

---@class (exact) codex-chat.TemplateWords the words for a template's placeholders
---@field input string
---@field selection string
---@field file string
---@field diagnostics string
---@field filetype string

---@alias codex-chat.Template string|fun(words: codex-chat.TemplateWords): string?

---@type table<string, codex-chat.Template>
local builtin = {
  explain = "Explain {selection}: what it does, why it is done this way, and what would surprise a reader. {input}",
  fix = "Find and fix the fault in {selection}. Run a test or command that proves the fix. {input}",
  test = "Write tests for {selection} in the style of the existing tests, and run them. {input}",
  document = "Document {selection}: what a caller must know, and nothing that the code already says. {input}",
  init = "Look through this project and write an AGENTS.md at its top for the next person to work on it: how it is built, tested and run, how it is laid out, what its code and commits look like, and what surprised you. Keep it under a page. If there is one already, improve it. {input}",
}

--- The descriptions of the built-in templates, for menus.
local about = {
  explain = "explain what the code does, and why",
  fix = "find and fix a fault, and prove the fix",
  test = "write tests in the style of the existing ones, and run them",
  document = "write what a caller must know",
  init = "write an AGENTS.md for this project",
}

--- The largest template that is read.
local max_bytes = 256 * 1024

---@return string
local function dir()
  local configured = require("codex-chat.config").get().prompts_dir
  return vim.fn.expand(configured or (vim.fn.stdpath("config") .. "/codex-chat/prompts"))
end

--- Reads a template's file: its text, and the description in its front matter.
---@param name string
---@return string? text
---@return string? description
local function read(name)
  local path = ("%s/%s.md"):format(dir(), name)
  local text = require("codex-chat.outside.named_file").read(path, max_bytes)
  if not text then
    return nil
  end
  text = text:gsub("\r\n", "\n")
  local front, body = text:match("^%-%-%-\n(.-)\n%-%-%-\n(.*)$")
  local description = ("\n" .. (front or "")):match("\ndescription:%s*([^\n]*)")
  return vim.trim(body or text), description
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

--- The description of a template for menus.
---@param name string
---@return string
function M.description(name)
  local text, description = read(name)
  if description then
    return description:match('^"(.*)"$') or description
  end
  local is_ours = not text and not (require("codex-chat.config").get().prompts or {})[name]
  return is_ours and about[name] or "prompt"
end

--- The template of this name: a file wins over the configuration, and that over a built-in one.
---@param name string
---@return codex-chat.Template?
function M.get(name)
  if not name:match("^[%w_-]+$") then
    return nil
  end
  return read(name) or (require("codex-chat.config").get().prompts or {})[name] or builtin[name]
end

--- Replaces the placeholders by words, which are not searched for placeholders again.
---@param template codex-chat.Template
---@param words codex-chat.TemplateWords
---@return string? text
---@return string? err
function M.fill(template, words)
  if type(template) == "function" then
    local ok, text = pcall(template, words)
    if not ok or type(text) ~= "string" then
      return nil, ok and "the template's function returned no text" or tostring(text)
    end
    return vim.trim(text)
  end
  local text = template:gsub("{(%l+)}", words)
  return vim.trim((text:gsub("[ \t]+\n", "\n")))
end

---@param err string
local function complain(err)
  say.error("nothing was sent. " .. err .. ".")
end

--- Sends a template from the prompt. `{selection}` is the last selection in the file that the user came
--- from, else that file.
---@param chat codex-chat.Chat
---@param template codex-chat.Template
---@param input string
function M.send(chat, template, input)
  local buf = require("codex-chat.context.origin").get()
  local selected = buf and require("codex-chat.context.selection").last(buf)
  local text, err = M.fill(template, {
    input = input,
    selection = selected and "@selection" or "@buffer",
    file = "@buffer",
    diagnostics = "@diagnostics",
    filetype = buf and vim.bo[buf].filetype or "",
  })
  if not text then
    complain(err --[[@as string]])
    return
  end
  require("codex-chat.prompt").send_lines(chat, vim.split(text, "\n", { plain = true }))
end

return M
