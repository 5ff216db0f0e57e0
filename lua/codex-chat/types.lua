--- The types of the public functions, for language servers; there is no code here. Types that the
--- host shares are in host/wire.lua.

---@class (exact) codex-chat.Status the state of a conversation; read-only
---@field buf integer
---@field path string the conversation's file
---@field root string the project's
---@field phase codex-chat.Phase
---@field busy boolean whether a turn is running
---@field detail? string such as the step of the preparation, or the reason of a failure
---@field model? string
---@field mode? string the effort, and "plan" in plan mode
---@field sandbox? string
---@field tokens? codex-chat.Tokens
---@field queued integer queries waiting for the next turn
---@field waiting integer questions waiting for the user
---@field elsewhere? integer questions waiting in other conversations
---@field unseen? integer files with changes of Codex's that nobody has accepted; nil before the first turn
---@field elapsed? integer seconds since the running turn started
---@field note? string such as that the file is not saved

---@class (exact) codex-chat.StatuslineOpts
---@field parts? ("phase"|"queued"|"waiting"|"tokens"|"model"|"sandbox")[] defaults to the first three
---@field prefix? string defaults to "codex "

---@class (exact) codex-chat.ChatOpts
---@field buf? integer the conversation's buffer; by default the current one, else the project's

---@class (exact) codex-chat.SendOpts
---@field buf? integer
---@field mode? "steer"|"queue" "steer" goes into a running turn, "queue" waits for the next one

---@class (exact) codex-chat.AskEnd
---@field status "completed"|"interrupted"|"failed"|"closed" "closed": the conversation was closed
---@field failure? codex-chat.TurnFailure
---@field answer string the answer after the query, as markdown; empty if there is none

---@class (exact) codex-chat.AskOpts
---@field buf? integer
---@field mode? "steer"|"queue"
---@field on_end? fun(result: codex-chat.AskEnd) called once, when the query's turn has ended

---@class (exact) codex-chat.AnswerOpts
---@field buf? integer
---@field id? string the question's id, from `ApprovalRequested`; by default the oldest question
---@field reason? string sent to Codex with "decline"
---@field answers? table<string, any> the answers to a question, by field name

---@alias codex-chat.EventName
---| "Opened" # { buf, path, root }
---| "Closed" # { buf, path, root }
---| "Renamed" # { buf, path, previous }
---| "StateChanged" # codex-chat.Status and { previous: phase }
---| "QuerySent" # { buf, id, text, mode }
---| "QueryHeard" # { buf, ids }
---| "TurnStarted" # { buf, turnId }
---| "TurnEnded" # { buf, status, failure? }
---| "ApprovalRequested" # { buf, id, title }
---| "ApprovalAnswered" # { buf, id, decision }
---| "FilesChanged" # { root } or { paths }
---| "ReviewChanged" # { buf, root, paths }
---| "HostEnded" # { message }
