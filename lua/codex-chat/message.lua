--- Messages to the user: adds the plugin's name, and is the only caller of vim.notify().
---
--- Most messages come unasked, while the user types elsewhere. Neovim shows a message that is longer
--- than its room and then waits for a key, in any buffer; so only the beginning is shown, and
--- `:messages` has the whole. A vim.notify() of the user's or of a plugin has room and gets the whole.
local M = {}

local api = vim.api

--- Longer messages are cut.
local MAX_CHARS = 4000

local groups = {
  [vim.log.levels.WARN] = "WarningMsg",
  [vim.log.levels.ERROR] = "ErrorMsg",
}

--- How many commands are running that the user has just typed.
local answering = 0

--- The text if it fits, else its beginning with an ellipsis.
---@param text string without control characters
---@param width integer screen columns
---@return string
function M.cut(text, width)
  if api.nvim_strwidth(text) <= width then
    return text
  end
  -- A binary search for the longest beginning that leaves a column for the ellipsis.
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

--- Screen columns that a message may take before Neovim asks for a key (:help v:echospace).
---@return integer
local function room()
  return math.max(vim.o.cmdheight - 1, 0) * vim.o.columns + vim.v.echospace
end

--- Whether Neovim itself shows messages, on a screen that may run out of room.
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

--- Adds the text to `:messages` in pieces that fit: a longer one would ask for a key.
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

--- Clears the command line, where Neovim leaves a question and its answer.
function M.clear_line()
  vim.schedule(function()
    if api.nvim_get_mode().mode == "n" then
      api.nvim_echo({ { "" } }, false, {})
    end
  end)
end

---@type { text: string, keep: string, level: integer }[] messages to show when Neovim is idle
local waiting = {}

--- Whether Neovim is in the middle of a command, such as a plugin that waits in getchar(): there each
--- message goes below the one before, until the screen is full and Neovim asks for a key.
---@return boolean
local function is_in_command()
  local mode = api.nvim_get_mode().mode:sub(1, 1)
  return mode == "r" or mode:find("[nvViR\22]") ~= nil and vim.fn.state("S") ~= ""
end

--- Shows a message.
---@param text string
---@param keep string the end of the message, which is always shown
---@param level integer
local function show(text, keep, level)
  -- SECURITY: the text may be the model's; a control character would reach the screen.
  local whole = (text .. keep):gsub("[^%C\n\t]+", " ")
  whole = vim.fn.strcharpart(whole, 0, MAX_CHARS)
  local line = one_line(whole)
  local width = room()
  if not is_neovims() or (answering > 0 and api.nvim_strwidth(line) > width) then
    vim.notify(whole, level, { title = "codex-chat" })
    return
  end
  -- Not vim.notify(): it shows several errors below one another, and asks for a key.
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

--- Shows a message as soon as it does not disturb a command.
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
        for _, message in ipairs(all) do
          show(message.text, message.keep, message.level)
        end
      end,
    })
  end
end

--- Runs a command that the user has just typed: they expect messages, so these may ask for a key.
---@param fn fun()
function M.answering(fn)
  answering = answering + 1
  local ok, err = pcall(fn)
  answering = answering - 1
  if not ok then
    error(err, 0)
  end
end

--- Shows a message in the way of Neovim's own commands, such as that a file was written.
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

--- Reports that something was done, or that there is nothing to do. `keep` is always shown.
M.info = at(vim.log.levels.INFO)
--- Reports that something may not be as the user wants it.
M.warn = at(vim.log.levels.WARN)
--- Reports that something was not done, and why.
M.error = at(vim.log.levels.ERROR)

return M
