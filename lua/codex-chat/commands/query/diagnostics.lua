--- `:[range]CodexChat diagnostics [question]`: the diagnostics under the cursor, as a query.
local M = {}

local say = require("codex-chat.message")

--- Puts the diagnostics of these lines into the prompt, with a mention of the lines; with a question,
--- sends both.
---@param first integer 1-based
---@param last integer
---@param question string
function M.send(first, last, question)
  local buf = vim.api.nvim_get_current_buf()
  local found = vim.tbl_filter(function(diagnostic)
    return diagnostic.lnum + 1 <= last and (diagnostic.end_lnum or diagnostic.lnum) + 1 >= first
  end, vim.diagnostic.get(buf))
  if #found == 0 then
    say.info("there are no diagnostics on this line.")
    return
  end
  local chats = require("codex-chat.chat")
  local project = require("codex-chat.project").of_buf(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  local path = vim.uv.fs_realpath(name) or name
  if not vim.startswith(path, project.root .. "/") then
    say.error("this file is outside the project.")
    return
  end
  for _, diagnostic in ipairs(found) do
    first, last =
      math.min(first, diagnostic.lnum + 1),
      math.max(last, (diagnostic.end_lnum or diagnostic.lnum) + 1)
  end
  -- A diagnostic of the whole text may end at the line after it.
  last = math.min(last, vim.api.nvim_buf_line_count(buf))
  local mention = require("codex-chat.context.mention").of_path(path:sub(#project.root + 2))
  local place = ("%s#L%d-L%d"):format(mention, first, last)
  -- In a fence: a message may look like a mention or a heading.
  local listed = require("codex-chat.context.listing").diagnostic_lines(found, project.root)
  local complaints =
    require("codex-chat.context.part").of_lines("", ("In %s"):format(place), listed)
  local lines = vim.split(complaints.text --[[@as string]], "\n", { plain = true })
  local chat = chats.latest(project)
  local prompt = require("codex-chat.prompt")
  if question ~= "" then
    prompt.send_lines(chat, vim.list_extend(lines, { "", question }))
    return
  end
  vim.list_extend(lines, { "", "" })
  chats.show(chat, { insert = false })
  prompt.add(chat, lines)
  prompt.enter(chat, vim.api.nvim_get_current_win())
end

return M
