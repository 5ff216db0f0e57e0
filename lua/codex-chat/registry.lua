--- The conversations that this Neovim has open, by buffer.
local M = {}

---@class (exact) codex-chat.Block
---@field mark integer extmark from the first line to the line after the last
---@field gap 0|1 blank lines above that belong to the block
---@field waits? boolean of a query: it is for the next turn
---@field told? string of a query: the text that the host was told
---@field badge? integer extmark with virtual text on the first line
---@field emptied? boolean whether the user has deleted all its lines
---@field late? integer how often it was written after that
---@field late_is_all? boolean whether all of it was written, not more of it
---@field badge_edit? codex-chat.MarkEdit what the virtual text says

---@class (exact) codex-chat.Approval
---@field id string
---@field block string
---@field kind string
---@field choices codex-chat.Decision[]
---@field fields? codex-chat.Field[] what is asked for, of questions
---@field url? string of a page
---@field title? string one line about it, such as "Codex asks to run: ls"
---@field at? integer number of the question that is asked for now
---@field answers? table<string, any> what was told so far, secrets included: never shown or logged
---@field mark? integer extmark with the keys
---@field shown? string what decides how its keys look, as they are shown

---@class (exact) codex-chat.Chat
---@field buf integer
---@field path string
---@field root string
---@field project_dir string
---@field host "none"|"asked"|"attached"|"lost" whether the host knows it, and has answered
---@field settings? table that the host was told last
---@field state codex-chat.State
---@field began? integer milliseconds of vim.uv.now() when the running turn began
---@field took? integer seconds that the last turn took
---@field prompt_mark integer extmark at the prompt's heading
---@field writing? string the block that an edit of the host's adds to just now
---@field blocks table<string, codex-chat.Block>
---@field names table<integer, string> the blocks' ids, by extmark
---@field next_user integer number of the next sent query
---@field approvals codex-chat.Approval[] oldest first
---@field key_watch? integer augroup that follows the cursor while something is pending
---@field borrowed? table<string, codex-chat.Borrowed> keys that answer, mapped for now
---@field outgoing? codex-chat.Outgoing[] queries of functions whose mentions are being read, in order
---@field sending? boolean whether a query was sent that no state tells of yet
---@field preparing? string a mention of the prompt's that another program is asked for
---@field settling? boolean whether the prompt's heading is being put back
---@field key_marks? table<integer, true> extmarks that show keys
---@field gathered? { edits: codex-chat.Edit[], run: fun() } the last of the host's edits among those
---@field delayed function[] machine edits that wait for the user's half-typed command
---@field last_win_view? table the view when it was last hidden
---@field looks? table<string, any> its windows' options before anything was changed by hand
---@field winbar? string the user's own, which their settings for the file type have set
---@field hint? integer extmark with the empty prompt's hint
---@field augroup integer
---@field used integer when it was last gone to
---@field known_text? string the text that Lua has read from the file or written to it last
---@field has_written? boolean whether Lua has written it, and the host may not know that yet
---@field known_hashes? string[] SHA-256 of the texts that the host has written since, the last one first
---@field head? string[] the front matter, dashes included, as it was last whole
---@field follows? boolean whether changes of the text are followed
---@field changed? boolean whether the text has changed since Lua wrote it
---@field unloaded_lines? string[] the text while the buffer is unloaded
---@field kept? codex-chat.Kept what `:edit` is to find again

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
