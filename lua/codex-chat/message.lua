--- What the plugin says to its user: one place for its name in front, and for who shows it.
---
--- Most of it comes by itself, while the user types elsewhere. Neovim shows a message that is longer
--- than its room and then waits for a key, in any buffer; so only the beginning is shown, and all of
--- it stands in `:messages`. A `vim.notify` of the user's or of a plugin has room, and gets all of it.
local M = {}

local api = vim.api

--- How much of one message is kept.
local MAX_CHARS = 4000

local groups = {
  [vim.log.levels.WARN] = "WarningMsg",
  [vim.log.levels.ERROR] = "ErrorMsg",
}

--- How many commands are being run that the user has just given.
local answering = 0

--- The text where it fits, else its beginning with an ellipsis.
---@param text string without control characters
---@param width integer screen columns
---@return string
function M.cut(text, width)
  if api.nvim_strwidth(text) <= width then
    return text
  end
  -- The longest beginning that leaves a column for the ellipsis, by halving.
  local low, high = 0, vim.fn.strcharlen(text)
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if api.nvim_strwidth(vim.fn.strcharpart(text, 0, middle)) < width then
      low = middle
    else
      high = middle - 1
    end
  end
  return width < 1 and "" or vim.fn.strcharpart(text, 0, low) .. "…"
end

--- Screen columns that a message may take without a key being asked for (:help v:echospace).
---@return integer
local function room()
  return math.max(vim.o.cmdheight - 1, 0) * vim.o.columns + vim.v.echospace
end

--- Whether messages are Neovim's own, on a screen that may run out of room.
---@return boolean
local function is_neovims()
  -- Neovim's own functions have no file: "vim/_editor.lua" in 0.10, nothing in 0.12.
  local source = debug.getinfo(vim.notify, "S").source
  if not (source:match("^@vim/") or source:match("^=?%?$")) then
    return false
  end
  return vim.iter(api.nvim_list_uis()):any(function(ui)
    return not ui.ext_messages
  end)
end

---@param text string
---@return string
local function one_line(text)
  return vim.trim((text:gsub("%s*%c+%s*", " ")))
end

--- Puts the text into `:messages` in pieces that each fit: one that does not would ask for a key.
---@param text string one line
---@param group string
---@param width integer
local function remember(text, group, width)
  while text ~= "" do
    local piece = text
    if api.nvim_strwidth(text) > width then
      piece = M.cut(text, width):gsub("…$", "")
    end
    if piece == "" then
      return
    end
    api.nvim_echo({ { piece, group } }, true, {})
    text = text:sub(#piece + 1)
  end
end

---@type { text: string, keep: string, level: integer }[] what is shown when Neovim is idle again
local waiting = {}

--- Whether Neovim is in the middle of a command, such as a plugin that waits for a key in getchar():
--- there each message goes below the one before, until the screen is full and a key is asked for.
---@return boolean
local function is_in_command()
  local mode = api.nvim_get_mode().mode:sub(1, 1)
  return mode == "r" or mode:find("[nvViR\22]") ~= nil and vim.fn.state("S") ~= ""
end

--- Shows a message.
---@param text string
---@param keep string the end of it, which is shown however long the rest is
---@param level integer
local function show(text, keep, level)
  -- SECURITY: it may hold the model's words; a control character would reach the screen.
  local whole = (text .. keep):gsub("[^%C\n\t]+", " ")
  whole = vim.fn.strcharpart(whole, 0, MAX_CHARS)
  local line = one_line(whole)
  local width = room()
  if not is_neovims() or (answering > 0 and api.nvim_strwidth(line) > width) then
    vim.notify(whole, level, { title = "codex-chat" })
    return
  end
  -- Not by vim.notify(): of several errors it shows one below the other, and asks for a key.
  local group = groups[level] or ""
  if api.nvim_strwidth(line) <= width then
    api.nvim_echo({ { line, group } }, true, {})
    return
  end
  local tail = keep ~= "" and one_line(keep) or " (:messages)"
  if api.nvim_strwidth(tail) > width / 2 then
    tail = ""
  end
  remember(line, group, width)
  local head = M.cut(one_line(text), width - api.nvim_strwidth(tail))
  api.nvim_echo({ { head .. tail, group } }, false, {})
end

--- Shows a message once it can be.
---@param text string
---@param keep string
---@param level integer
local function show_when_idle(text, keep, level)
  local must_wait = #waiting > 0 or is_in_command()
  if answering > 0 or vim.v.exiting ~= vim.NIL or not is_neovims() or not must_wait then
    show(text, keep, level)
    return
  end
  waiting[#waiting + 1] = { text = text, keep = keep, level = level }
  if #waiting == 1 then
    api.nvim_create_autocmd("SafeState", {
      once = true,
      callback = function()
        local all = waiting
        waiting = {}
        for _, it in ipairs(all) do
          show(it.text, it.keep, it.level)
        end
      end,
    })
  end
end

--- Runs what the user has just asked for: they look at its messages, which may then ask for a key.
---@param fn fun()
function M.answering(fn)
  answering = answering + 1
  local ok, err = pcall(fn)
  answering = answering - 1
  if not ok then
    error(err, 0)
  end
end

--- Shows what Neovim itself would say of a command, such as that a file was written.
---@param text string
function M.echo(text)
  api.nvim_echo({ { M.cut(one_line(text), room()) } }, false, {})
end

---@param level integer
---@return fun(text: string, keep?: string)
local function at(level)
  return function(text, keep)
    show_when_idle("codex-chat: " .. text, keep or "", level)
  end
end

--- That something was done, or that there is nothing to do. `keep` is an end that is always shown.
M.info = at(vim.log.levels.INFO)
--- That something may not be as the user wants it.
M.warn = at(vim.log.levels.WARN)
--- That something was not done, and why.
M.error = at(vim.log.levels.ERROR)

return M
