--- `:CodexChat[!] search`: every line of all conversations that has a text, as a quickfix list.
local M = {}

local list = require("codex-chat.threads.list")
local pool = require("codex-chat.threads.pool")
local say = require("codex-chat.message")

--- How many lines are listed, and what a thread looks through at a time.
local max_items, batch_files, batch_bytes = 1000, 50, 8 * 1024 * 1024

---@type fun()? ends the search that is under way
local cancel

---@param text string
---@return { text: string, exact: boolean, chars: string[][]? } as codex-chat.Wanted has them
local function wanted_of(text)
  local lower = vim.fn.tolower(text)
  -- As with 'smartcase': a capital asks for itself.
  if lower ~= text then
    return { text = text, exact = true }
  elseif not text:find("[\128-\255]") then
    return { text = lower, exact = false }
  end
  local chars = {}
  for _, char in ipairs(vim.fn.split(lower, "\\zs")) do
    local upper = vim.fn.toupper(char)
    chars[#chars + 1] = (#char == 1 or upper == char) and { char } or { char, upper }
  end
  return { text = lower, exact = false, chars = chars }
end

---@param files codex-chat.ListedFile[]
---@param paths string[]
---@return string[][]
local function batches_of(files, paths)
  local batches, bytes = { {} }, 0
  for n, file in ipairs(files) do
    local batch = batches[#batches]
    if #batch >= batch_files or (#batch > 0 and bytes + file.size > batch_bytes) then
      batch, bytes = {}, 0
      batches[#batches + 1] = batch
    end
    batch[#batch + 1] = paths[n]
    bytes = bytes + file.size
  end
  return batches
end

---@param text string
---@param found table[][] hits by batch and file
---@param batches string[][]
---@param problems string[]
local function show(text, found, batches, problems)
  local items = {}
  for b, batch in ipairs(batches) do
    for n, hits in ipairs(found[b] or {}) do
      for _, hit in ipairs(hits) do
        if #items < max_items then
          items[#items + 1] = {
            filename = batch[n],
            lnum = hit.lnum,
            col = hit.col,
            -- SECURITY: conversations hold what commands printed; a list shows it raw.
            text = hit.text:gsub("%c", " "),
          }
        end
      end
    end
  end
  local title = "Conversations with: " .. text
  if #items == max_items then
    title = ("%s (the first %d lines)"):format(title, max_items)
  end
  vim.fn.setqflist({}, " ", { title = title, items = items })
  if #problems > 0 then
    say.warn(table.concat(problems, "; "))
  end
  if #items == 0 then
    say.info(("no conversation has “%s”."):format(text))
  else
    require("codex-chat.outside.runtime").without_projects("qf", function()
      vim.cmd("botright copen")
    end)
  end
end

--- Looks for `text` in all conversations of the project, the archived ones too. Of several calls
--- only the last is answered.
---@param text string
---@param all boolean of all projects
function M.run(text, all)
  if text == "" then
    say.error("`:CodexChat search` needs a text.")
    return
  end
  if cancel then
    cancel()
  end
  local cancelled, stop = false, nil
  cancel = function()
    cancelled = true
    if stop then
      stop()
    end
  end
  local wanted = wanted_of(text)
  list.both({ all = all }, function(files, paths, problems)
    if cancelled then
      return
    end
    local batches = batches_of(files, paths)
    local found, first, count = {}, 1, 0
    stop = pool.run(
      "find",
      "find",
      vim.tbl_map(function(batch)
        return vim.tbl_extend("error", { paths = batch }, wanted)
      end, batches),
      {
        on_batch = function(b, hits)
          found[b] = hits
          -- Enough is what stands together from the first: batches end in any order.
          while found[first] do
            for _, each in ipairs(found[first]) do
              count = count + #each
            end
            first = first + 1
          end
          return count >= max_items
        end,
        on_end = function(err)
          problems[#problems + 1] = err
          show(text, found, batches, problems)
        end,
      }
    )
  end)
end

return M
