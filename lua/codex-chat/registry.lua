--- The conversations that this Neovim has open, by buffer.
local M = {}

---@class (exact) codex-chat.Block
---@field mark integer extmark from the first line to the line after the last
---@field gap 0|1 blank lines above that belong to the block
---@field waits? boolean whether the query waits for the next turn
---@field badge? integer extmark with virtual text on the first line
---@field emptied? boolean whether the user has deleted all its lines
---@field late? integer how often it was written to after that
---@field late_is_all? boolean whether it was replaced as a whole, not appended to
---@field badge_edit? codex-chat.MarkEdit the host's edit that set the virtual text

---@class (exact) codex-chat.Approval
---@field id string
---@field block string
---@field kind string
---@field choices codex-chat.Decision[]
---@field fields? codex-chat.Field[] the fields of a question
---@field url? string the page to open
---@field diff? boolean of a patch: whether it can be looked at as a diff
---@field is_edited? boolean whether accepting it applies what the user has made of it
---@field title? string one line about it, such as "Codex asks to run: ls"
---@field at? integer number of the current field
---@field answers? table<string, any> the answers so far, secrets included: never shown or logged
---@field mark? integer extmark that shows the keys
---@field shown? string what the shown keys depend on
---@field note? integer extmark that says how much the window cannot show
---@field read? integer how many lines it had when its end was in view

---@class (exact) codex-chat.Chat
---@field buf integer
---@field path string
---@field root string
---@field project_dir string
---@field host "none"|"asked"|"attached"|"lost" whether the conversation is open in the host
---@field settings? table the settings that were last sent to the host
---@field state codex-chat.State
---@field began? integer milliseconds of vim.uv.now() when the running turn started
---@field took? integer seconds that the last turn took
---@field prompt_mark integer extmark at the prompt's heading
---@field writing? string the block that the current edit of the host adds to
---@field blocks table<string, codex-chat.Block>
---@field names table<integer, string> block ids by extmark
---@field next_user integer number of the last query's block
---@field approvals codex-chat.Approval[] oldest first
---@field key_watch? integer augroup that follows the cursor while an approval is pending
---@field borrowed? table<string, codex-chat.Borrowed> keys that are mapped while the cursor is on an approval
---@field outgoing? codex-chat.Outgoing[] queries from functions whose mentions are being resolved, in order
---@field sent? table<string, "sent"|"heard"> queries that the host has, and whether Codex has them
---@field touched? table<string, true> sent queries that the user edited and the host does not know yet
---@field in_turn? boolean whether a query was sent and its turn is not over
---@field sending? boolean whether a query was sent and no state has come since
---@field preparing? string the mention in the prompt that a program is resolving
---@field settling? boolean whether the prompt's heading is being restored
---@field key_marks? table<integer, true> the extmarks that show keys
---@field gathered? { edits: codex-chat.Edit[], run: fun() } the last of the host's edits among those
---@field has_typed? boolean whether the user has typed in the prompt since insert mode began
---@field delayed function[] writes of the host that wait for the user's half-typed command
---@field last_win_view? table the view when it was last hidden
---@field looks? table<string, any> the window options before the user changed any by hand
---@field unseen? integer files with changes that nobody has accepted
---@field winbar? string the winbar that the user's file type settings set
---@field hint? integer extmark with the empty prompt's hint
---@field hint_kind? string the hint's words
---@field settled? integer the buffer's changedtick when the prompt's heading was last seen whole
---@field augroup integer
---@field used integer when the user last went to it
---@field known_text? string the text that Lua last read from the file or wrote to it
---@field has_written? boolean whether Lua wrote it and the host may not know yet
---@field known_hashes? string[] SHA-256 of the texts that the host wrote since, the latest first
---@field head? string[] the last complete front matter, with its dashes
---@field follows? boolean whether an on_lines callback is attached
---@field changed? boolean whether the text has changed since Lua wrote it
---@field unloaded_lines? string[] the text while the buffer is unloaded
---@field kept? codex-chat.Kept what `:edit` restores

---@type table<integer, codex-chat.Chat>
local chats = {}

---@param buf integer
---@return codex-chat.Chat?
function M.get(buf)
  if buf == 0 then
    buf = vim.api.nvim_get_current_buf()
  end
  return chats[buf]
end

--- Whether no conversation is open.
---@return boolean
function M.is_empty()
  return next(chats) == nil
end

---@param chat codex-chat.Chat
function M.add(chat)
  chats[chat.buf] = chat
end

---@param buf integer
function M.remove(buf)
  chats[buf] = nil
end

--- All open conversations, in the order of their buffers.
---@return codex-chat.Chat[]
function M.all()
  local list = vim.tbl_values(chats)
  table.sort(list, function(a, b)
    return a.buf < b.buf
  end)
  return list
end

--- The project's conversation that was used last in this Neovim.
---@param root string
---@param unloaded? boolean whether one whose buffer is unloaded counts
---@return codex-chat.Chat?
function M.current(root, unloaded)
  local found
  for _, chat in ipairs(M.all()) do
    if chat.root == root and (unloaded or vim.api.nvim_buf_is_loaded(chat.buf)) then
      if not found or chat.used > found.used then
        found = chat
      end
    end
  end
  return found
end

--- The buffer of exactly this name; `bufnr()` takes patterns.
---@param path string
---@return integer? buf
function M.find_name(path)
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(buf) == path then
      return buf
    end
  end
end

--- The windows of all tabpages, or of one, that show the buffer.
---@param buf integer
---@param tab? integer
---@return integer[]
function M.wins(buf, tab)
  local wins = tab and vim.api.nvim_tabpage_list_wins(tab) or vim.api.nvim_list_wins()
  return vim.tbl_filter(function(win)
    return vim.api.nvim_win_get_buf(win) == buf
  end, wins)
end

--- Whether a window floats above the others.
---@param win integer
---@return boolean
function M.floats(win)
  return vim.api.nvim_win_get_config(win).relative ~= ""
end

return M
