--- `:CodexChat` and the `<Plug>` mappings.
local M = {}

local say = require("codex-chat.message")
local subcommands = require("codex-chat.commands.subcommands")

---@return string[]
local function names()
  local list = vim.tbl_keys(subcommands.by_name)
  table.sort(list)
  return list
end

---@param args vim.api.keyset.create_user_command.command_args
local function run(args)
  local name, rest = args.args:match("^%s*(%S*)%s*(.-)%s*$")
  if name == "" then
    name = args.range > 0 and "send" or "open"
  end
  local subcommand = subcommands.by_name[name]
  if not subcommand then
    -- Two letters in the wrong order are two edits.
    local edits = #name < 4 and 1 or math.max(2, math.floor(#name / 3))
    local near = require("codex-chat.did_you_mean").find(name, names(), edits)
    local meant = near and ("; did you mean `%s`?"):format(near) or "."
    say.error(
      ("there is no `:CodexChat %s`%s `:CodexChat help` lists the commands."):format(name, meant)
    )
    return
  end
  if args.range > 0 and not subcommand.range then
    say.error(("`:CodexChat %s` takes no range; `:CodexChat send` does."):format(name))
    return
  end
  if args.bang and not subcommand.bang then
    say.error(("`:CodexChat %s` takes no `!`."):format(name))
    return
  end
  subcommand.run(args, rest)
end

--- Runs `:CodexChat`.
---@param args vim.api.keyset.create_user_command.command_args
function M.run(args)
  say.answering(function()
    run(args)
  end)
end

--- Completes subcommands and their words.
---@param lead string
---@param line string
---@param pos integer
---@return string[]
function M.complete(lead, line, pos)
  local typed = line:sub(1, pos):match("CodexChat!?%s+(.*)$") or ""
  local name = typed:match("^(%S+)%s")
  local words = not name and names() or (subcommands.by_name[name] or {}).complete or {}
  if type(words) == "function" then
    words = words(lead)
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
end

--- Runs the action of a `<Plug>` mapping.
---@param action string
function M.plug(action)
  if action == "follow-or-send" then
    local chat = require("codex-chat.registry").get(0)
    if chat and require("codex-chat.ui.follow").enter(chat) then
      return
    end
    action = "send"
  end
  if action == "send" or action == "queue" then
    if vim.fn.mode():match("^[vV\22]") then
      require("codex-chat.commands.query.selection").send_visual()
    else
      subcommands.send(action == "queue" and "queue" or "steer")
    end
    return
  end
  local empty = { range = 0, bang = false, args = "", line1 = 0, line2 = 0 }
  subcommands.by_name[action].run(empty --[[@as any]], "")
end

return M
