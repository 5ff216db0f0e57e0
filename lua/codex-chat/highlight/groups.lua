--- The highlight groups of a chat. Colour schemes and users may set each of them.
local M = {}

local api = vim.api

---@type table<string, string>
local links = {
  -- The two who speak: the words of their headings, and the user's whole section.
  CodexChatYou = "Title",
  CodexChatYouBand = "CursorLine",
  CodexChatCodex = "Function",
  CodexChatRule = "NonText",
  -- A call: the mark in front of it, its verb, what it is about, and the rest.
  CodexChatDone = "DiagnosticOk",
  CodexChatFailed = "DiagnosticError",
  CodexChatChanged = "DiagnosticWarn",
  CodexChatVerb = "Comment",
  CodexChatCommand = "Normal",
  CodexChatPath = "Directory",
  CodexChatMuted = "Comment",
  CodexChatFold = "Comment",
  -- Notices.
  CodexChatError = "DiagnosticError",
  CodexChatNote = "DiagnosticInfo",
  CodexChatWarning = "DiagnosticWarn",
  CodexChatThinking = "Comment",
  -- Code and diffs. Those that end in "Line" are backgrounds to the window's edge.
  CodexChatCodeLine = "ColorColumn",
  CodexChatCodeLabel = "Comment",
  CodexChatAdded = "Added",
  CodexChatAddedLine = "DiffAdd",
  CodexChatRemoved = "Removed",
  CodexChatRemovedLine = "DiffDelete",
  CodexChatHunk = "Special",
  CodexChatLineNr = "LineNr",
  CodexChatBorder = "NonText",
  -- A question of Codex's: its box, and the keys that answer it.
  CodexChatAsks = "DiagnosticWarn",
  CodexChatAsksLine = "CursorLine",
  CodexChatAsked = "IncSearch",
  CodexChatKey = "Special",
  CodexChatKeyText = "Comment",
  -- The prompt and the winbar.
  CodexChatTitle = "WinBar",
  CodexChatHint = "Comment",
  CodexChatRunning = "DiagnosticInfo",
  CodexChatQueued = "Comment",
  CodexChatWaiting = "DiagnosticWarn",
}

--- Links the groups, except those that the user or a colour scheme has set.
function M.define()
  for name, target in pairs(links) do
    api.nvim_set_hl(0, name, { link = target, default = true })
  end
end

return M
