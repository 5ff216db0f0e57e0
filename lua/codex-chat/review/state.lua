--- The review that is open in this Neovim, and facts that follow from it.
local M = {}

local api = vim.api

---@class (exact) codex-chat.ReviewFile
---@field path string absolute
---@field name string as the user sees it
---@field old? string its path before, if that was another one
---@field change "created"|"deleted"|"changed"|"renamed"|"mode"|"unknown"|"conflict"
---@field added? integer lines; nil for a file that is not text
---@field removed? integer
---@field group "files"|"ignored"|"unknown"
---@field why? string why an undo left it
---@field wanted? string of a conflict: a file with the content that it was to get
---@field done? "accepted"|"rejected"

---@class (exact) codex-chat.Review
---@field chat codex-chat.Chat
---@field ask table parameters of `changes/list`
---@field title string since when, as words
---@field left string the checkpoint on the left
---@field files codex-chat.ReviewFile[] in the order of the list
---@field inline boolean
---@field view codex-chat.ReviewView
---@field tab integer
---@field scrollopt string the user's
---@field from integer the window that the review was opened from
---@field list integer window
---@field list_buf integer
---@field left_win? integer
---@field right_win integer of an inline review: the only one beside the list
---@field left_buf? integer
---@field right_buf? integer
---@field rows table<integer, codex-chat.ReviewFile> by the list's line
---@field showing? codex-chat.ReviewFile
---@field shown? codex-chat.ReviewFile what the windows show; another one while the next is being read
---@field is_switching? boolean whether the right window is about to show another file
---@field is_wide boolean whether the list stands beside the files
---@field stacked boolean whether the two sides stand above one another
---@field columns integer of the screen when the windows got their sizes
---@field before? string[] the lines on the left
---@field inline_buf? integer
---@field places? codex-chat.InlinePlace[] by the line of an inline review
---@field loaded table<integer, integer> buffers that the review has loaded, with their ticks
---@field queue (fun(done: fun()))[]
---@field steps table[] what can be undone, the latest last

---@class (exact) codex-chat.ReviewView how files are shown: as a pair of windows, or in one buffer
---@field show fun(review: codex-chat.Review, file: codex-chat.ReviewFile, where?: "first"|"last"|integer, after?: fun())
---@field refresh fun(review: codex-chat.Review, after: fun(found: codex-chat.LineHunk[]))
---@field hunks fun(review: codex-chat.Review): codex-chat.LineHunk[]
---@field right_lines fun(review: codex-chat.Review): string[]
---@field count fun(review: codex-chat.Review, file: codex-chat.ReviewFile): codex-chat.LineHunk[]
---@field chosen fun(review: codex-chat.Review, range?: integer[]): codex-chat.LineHunk[]
---@field file fun(review: codex-chat.Review): codex-chat.ReviewFile
---@field go_to fun(review: codex-chat.Review, line: integer)
---@field lines_at fun(review: codex-chat.Review, range?: integer[]): { path: string, side: "left"|"right", first: integer, last: integer, code: string[] }?
---@field draw_comments fun(review: codex-chat.Review)

---@type codex-chat.Review?
M.current = nil

--- The review in this tab page; nil elsewhere.
---@return codex-chat.Review?
function M.here()
  local review = M.current
  return review and review.tab == api.nvim_get_current_tabpage() and review or nil
end

--- Whether the left side shows a file's earlier text beside its present one.
---@param review codex-chat.Review
---@return boolean
function M.has_pair(review)
  return review.before ~= nil
end

--- The side of the current window.
---@param review codex-chat.Review
---@return "left"|"right"
function M.side(review)
  return api.nvim_get_current_win() == review.left_win and "left" or "right"
end

--- The place of a file in the list.
---@param review codex-chat.Review
---@param file? codex-chat.ReviewFile
---@return integer? index
function M.index(review, file)
  for i, each in ipairs(review.files) do
    if each == file then
      return i
    end
  end
end

--- The next file that waits for a decision, from this one on and round the list.
---@param review codex-chat.Review
---@return codex-chat.ReviewFile?
function M.next_open(review)
  local at = M.index(review, review.showing) or 0
  for i = 1, #review.files do
    local file = review.files[(at + i - 1) % #review.files + 1]
    if not file.done then
      return file
    end
  end
end

return M
