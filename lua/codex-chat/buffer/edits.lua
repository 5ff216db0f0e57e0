--- The host's edits of the document, each of which names a block (src/chat/edits/edits.ts).
local M = {}

local badge = require("codex-chat.buffer.block_mark")
local blocks = require("codex-chat.buffer.blocks")
local registry = require("codex-chat.registry")

local api = vim.api

---@param chat codex-chat.Chat
---@param edit codex-chat.InsertEdit
local function insert(chat, edit)
  local id = edit.id
  local prompt = blocks.prompt_row(chat)
  local gap = edit.gap == 1 and 1 or 0
  local row
  if edit.after ~= "history" and edit.after ~= "prompt" then
    local first, stop = blocks.range(chat, edit.after)
    -- Nothing goes below a block that the user has moved below the prompt's heading, unless the heading
    -- was joined to it.
    if first and stop and (stop <= prompt or first <= prompt and stop > first) then
      row = stop
    end
  end
  local text = {}
  if not row then
    row = prompt
    while row > 0 and blocks.line_at(chat, row - 1) == "" do
      row = row - 1
    end
    if row == 0 then
      gap = 0
    end
  end
  if gap == 1 then
    text[1] = ""
  end
  vim.list_extend(text, edit.lines)
  local count = #edit.lines
  local meets_prompt = row >= prompt
  if meets_prompt and count > 0 then
    text[#text + 1] = ""
  end
  blocks.splice(chat, row, 0, text)
  if meets_prompt then
    blocks.set_prompt(chat, row + #text)
  end
  blocks.set_range(chat, id, row + gap, row + gap + count, gap)
  if edit.gap == 1 then
    require("codex-chat.buffer.fold").began(chat.buf, row + gap)
  end
end

--- The block's range. A block that does not exist, or that the user has moved below the prompt's
--- heading, where it would be sent, is created directly above the prompt.
---@param chat codex-chat.Chat
---@param id string
---@return integer first
---@return integer stop
---@return integer? col
---@return integer? end_col
local function range_or_new(chat, id)
  local first, stop, col, end_col = blocks.range(chat, id)
  if not first or not stop or first > blocks.prompt_row(chat) then
    insert(chat, { id = id, after = "history", lines = { "" }, gap = 1 })
    first, stop, col, end_col = blocks.range(chat, id)
    ---@cast first -nil
    ---@cast stop -nil
  end
  return first, stop, col, end_col
end

--- Writes into a block whose lines the user has deleted: below the place where an undo would put them.
--- If only blank lines are left down to the prompt, that is directly above it.
---@param chat codex-chat.Chat
---@param block codex-chat.Block
---@param id string
---@param text string[]
---@param is_all boolean whether it is all of the block, not more of it
local function write_emptied(chat, block, id, text, is_all)
  block.emptied, block.late, block.late_is_all = nil, (block.late or 0) + 1, is_all or nil
  text = vim.list_slice(text)
  local first, prompt, count = blocks.range(chat, id), blocks.prompt_row(chat), #text
  ---@cast first -nil
  local gap = 0
  if
    not table
      .concat(api.nvim_buf_get_lines(chat.buf, math.min(first, prompt), prompt, false))
      :find("%S")
  then
    first = prompt
    text[count + 1] = ""
    if first > 0 and blocks.line_at(chat, first - 1):find("%S") then
      table.insert(text, 1, "")
      gap = 1
    end
  end
  blocks.splice(chat, first, 0, text)
  if first == prompt then
    blocks.set_prompt(chat, first + #text)
  end
  first = first + gap
  blocks.set_range(chat, id, first, first + count, block.gap)
end

--- The block, if the user has deleted all its lines.
---@param chat codex-chat.Chat
---@param id string
---@return codex-chat.Block?
local function emptied(chat, id)
  local block = chat.blocks[id]
  local first, stop = blocks.range(chat, id)
  return block and block.emptied and first == stop and block or nil
end

---@param chat codex-chat.Chat
---@param edit codex-chat.AppendEdit
local function append(chat, edit)
  local text = edit.text:find("\n", 1, true) and vim.split(edit.text, "\n", { plain = true })
    or { edit.text }
  local block = emptied(chat, edit.id)
  if block then
    write_emptied(chat, block, edit.id, text, false)
    return
  end
  local first, stop, col, end_col = range_or_new(chat, edit.id)
  if stop == first then
    blocks.splice(chat, first, 0, text)
    blocks.set_range(chat, edit.id, first, first + #text, chat.blocks[edit.id].gap)
    return
  end
  local last = stop - 1
  blocks.extend(chat, last, text)
  -- Within whole lines, no mark has moved.
  if #text > 1 or col ~= 0 or end_col ~= 0 then
    blocks.set_range(chat, edit.id, first, stop + #text - 1, chat.blocks[edit.id].gap)
  end
end

---@param chat codex-chat.Chat
---@param edit codex-chat.ReplaceEdit
local function replace(chat, edit)
  local block = emptied(chat, edit.id)
  local first, stop
  if block and #edit.lines > 0 then
    write_emptied(chat, block, edit.id, edit.lines, true)
    first = blocks.range(chat, edit.id)
    ---@cast first -nil
  else
    first, stop = range_or_new(chat, edit.id)
    blocks.splice(chat, first, stop - first, edit.lines)
    blocks.set_range(chat, edit.id, first, first + #edit.lines, chat.blocks[edit.id].gap)
  end
  -- The badge went with the first line.
  if #edit.lines > 0 then
    badge.put(chat, chat.blocks[edit.id], first)
    require("codex-chat.buffer.fold").renew(chat.buf, first)
  end
end

---@param chat codex-chat.Chat
---@param id string
local function remove(chat, id)
  local first, stop = blocks.range(chat, id)
  if not first or not stop then
    return
  end
  local gap = chat.blocks[id].gap == 1 and first > 0 and blocks.line_at(chat, first - 1) == "" and 1
    or 0
  badge.remove(chat, id)
  blocks.forget(chat, id)
  blocks.splice(chat, first - gap, stop - first + gap, {})
end

---@param chat codex-chat.Chat
---@param edit codex-chat.FoldEdit
local function fold(chat, edit)
  local first, first_stop = blocks.range(chat, edit.from)
  local last_first, stop = blocks.range(chat, edit.to)
  if not first or not stop or first_stop == first or last_first == stop or stop <= first then
    return
  end
  require("codex-chat.buffer.fold").add(chat.buf, first, stop - 1)
end

---@param chat codex-chat.Chat
---@param edit codex-chat.MarkEdit
local function mark(chat, edit)
  local first, stop = blocks.range(chat, edit.id)
  local block = chat.blocks[edit.id]
  if not first or not block then
    return
  end
  if edit.mark == "none" or stop == first then
    require("codex-chat.buffer.pending").set_waiting(chat, edit.id, false)
    badge.remove(chat, edit.id)
    return
  end
  block.badge_edit = edit
  badge.put(chat, block, first)
end

local ops = {
  insert = insert,
  append = append,
  replace = replace,
  remove = function(chat, edit)
    remove(chat, edit.id)
  end,
  fold = fold,
  mark = mark,
}

---@param chat codex-chat.Chat
---@param edits codex-chat.Edit[]
---@param written fun(chat: codex-chat.Chat)
local function write(chat, edits, written)
  require("codex-chat.buffer.heading").settle(chat)
  blocks.machine(chat, function()
    for _, edit in ipairs(edits) do
      chat.writing = edit.op == "insert" and edit.after or edit.id
      ops[edit.op](chat, edit)
    end
    chat.writing = nil
  end)
  require("codex-chat.buffer.fold").settle(chat.buf)
  -- None of this touches the heading, so the next frame need not look for it.
  chat.settled = api.nvim_buf_get_changedtick(chat.buf)
  written(chat)
end

--- Adds edits to those that wait, so that even an hour of them is few and written at once.
---@param list codex-chat.Edit[]
---@param edits codex-chat.Edit[]
local function gather(list, edits)
  for _, edit in ipairs(edits) do
    local last = list[#list]
    if edit.op == "append" and last and last.op == "append" and last.id == edit.id then
      last.parts = last.parts or { last.text }
      table.insert(last.parts, edit.text)
    else
      list[#list + 1] = edit
    end
  end
end

--- Applies the host's edits in one tick.
---@param buf integer
---@param edits codex-chat.Edit[]
---@param written fun(chat: codex-chat.Chat) called in the same tick, after the text has changed
---@return codex-chat.EditsApplied|codex-chat.EditsRefused
function M.apply(buf, edits, written)
  local chat = registry.get(buf)
  if not chat or not api.nvim_buf_is_loaded(buf) then
    return { ok = false, reason = ("buffer %d is not a conversation"):format(buf) }
  end
  local held = chat.gathered
  if held and chat.delayed[#chat.delayed] == held.run then
    gather(held.edits, edits)
    return { ok = true }
  end
  local own = { edits = {} }
  gather(own.edits, edits)
  own.run = function()
    if chat.gathered == own then
      chat.gathered = nil
    end
    for _, edit in ipairs(own.edits) do
      edit.text = edit.parts and table.concat(edit.parts) or edit.text
    end
    write(chat, own.edits, written)
  end
  chat.gathered = own
  require("codex-chat.buffer.defer_edits").run(chat, own.run)
  return { ok = true }
end

return M
