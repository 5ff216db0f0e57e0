--- The types of the public face, for language servers; nothing is done here. Those that the host
--- knows too stand in host/wire.lua.

---@class (exact) codex-chat.Status what a conversation is at; not to be written to
---@field buf integer
---@field path string the conversation's file
---@field root string the project's
---@field phase codex-chat.Phase
---@field busy boolean whether a turn is under way
---@field detail? string such as what is being prepared, or why it failed
---@field model? string
---@field mode? string the effort, and "plan" in plan mode
---@field sandbox? string
---@field tokens? codex-chat.Tokens
---@field queued integer queries that wait for the next turn
---@field waiting integer questions that wait for the user
---@field elsewhere? integer questions that wait in other conversations
---@field elapsed? integer seconds since the running turn began
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
---@field status "completed"|"interrupted"|"failed"|"closed" "closed": the conversation was
---@field failure? codex-chat.TurnFailure
---@field answer string what Codex said from the query on, as markdown; empty where nothing came

---@class (exact) codex-chat.AskOpts
---@field buf? integer
---@field mode? "steer"|"queue"
---@field on_end? fun(result: codex-chat.AskEnd) called once, when the query's turn is over

---@class (exact) codex-chat.AnswerOpts
---@field buf? integer
---@field id? string the question's, as `ApprovalRequested` tells it; by default the oldest
---@field reason? string told to Codex with "decline"
---@field answers? table<string, any> what is told to questions, by the name of each field

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
---| "HostEnded" # { message }
