--- Types of everything that crosses between Lua and the host; nothing is done here.
---
--- `npm run format` makes this file from the tables in src/nvim/methods.ts and src/nvim/actions.ts:
--- change those. `buf` is left out of notifications, because `host.notify` adds it.
---@meta

---@class (exact) codex-chat.ActionFailure
---@field ok false
---@field message string

---@class (exact) codex-chat.ActionValue
---@field ok true
---@field value any

---@class (exact) codex-chat.AllowedHosts
---@field config string[]
---@field project string[]
---@field conversation string[]
---@field ask boolean

---@class (exact) codex-chat.AppendEdit
---@field op "append"
---@field id string
---@field text string

---@class (exact) codex-chat.ApprovalEnd
---@field id string
---@field remove true

---@class (exact) codex-chat.ApprovalPolicies
---@field current "never"|"on-request"|"untrusted"
---@field offered ("never"|"on-request"|"untrusted")[]

---@class (exact) codex-chat.ApprovalRequest
---@field id string
---@field block string
---@field kind "command"|"patch"|"questions"|"tool"|"page"|"network"
---@field fields? codex-chat.Field[] of questions
---@field url? string of a page
---@field diff? boolean of a patch: whether it can be looked at as a diff
---@field choices? codex-chat.Decision[]

---@class (exact) codex-chat.CacheVolume
---@field what string a directory of the project, or "tools"
---@field bytes? integer absent if the engine does not say

---@class (exact) codex-chat.ChangedFile
---@field path string
---@field old? string its path before, if that was another one
---@field change "created"|"deleted"|"changed"|"renamed"|"mode"
---@field added? integer lines; absent for a file that is not text
---@field removed? integer
---@field ignored boolean whether the project's ignore rules hide it

---@class (exact) codex-chat.Changes
---@field title string since when, as words
---@field left string the checkpoint that the files are compared with
---@field files codex-chat.ChangedFile[]
---@field unknown string[] files that changed, and whose content is not on record

---@class (exact) codex-chat.Comment
---@field id string
---@field path string
---@field side "left"|"right" the file before the change, or as it is
---@field first integer 1-based
---@field last integer
---@field code string[] these lines when the comment was written
---@field text string

---@class (exact) codex-chat.Commit
---@field oid string
---@field ref string
---@field subject string the agent's words
---@field date string as ISO 8601
---@field isTaken boolean whether a branch of the user's has it

---@class (exact) codex-chat.Container
---@field id string
---@field name string
---@field running boolean
---@field image string
---@field runtime string
---@field startedMs number since 1970
---@field seconds integer since it was started
---@field user string
---@field network string
---@field memoryBytes number
---@field cpus number
---@field pids integer
---@field mounts codex-chat.ContainerMount[]
---@field processes string[] as programs inside call themselves

---@class (exact) codex-chat.ContainerMount
---@field path string
---@field kind string

---@class (exact) codex-chat.ConversationStatus
---@field model string
---@field effort string
---@field plan boolean
---@field approvals "never"|"on-request"|"untrusted"
---@field endpoint string
---@field credential string
---@field running boolean
---@field sandbox string
---@field thread string
---@field refused codex-chat.RefusedHost[]
---@field network codex-chat.AllowedHosts
---@field instructions string[]
---@field usage? codex-chat.Usage
---@field limits codex-chat.UsageLimit[]
---@field servers codex-chat.McpServer[]

---@alias codex-chat.Decision
---| "accept"
---| "accept_session"
---| "accept_project"
---| "decline"
---| "cancel"

---@alias codex-chat.Edit
---| codex-chat.InsertEdit
---| codex-chat.AppendEdit
---| codex-chat.ReplaceEdit
---| codex-chat.RemoveEdit
---| codex-chat.FoldEdit
---| codex-chat.MarkEdit

---@class (exact) codex-chat.EditedPatch
---@field files string[] those that were changed
---@field conflicts string[] those that somebody else changed in that moment, and that are as they were

---@class (exact) codex-chat.EditsApplied
---@field ok true

---@class (exact) codex-chat.EditsRefused
---@field ok false
---@field reason string

---@class (exact) codex-chat.EndedLogin
---@field was string the email address, or empty

---@class (exact) codex-chat.Field
---@field name string
---@field label string
---@field description? string
---@field type "text"|"number"|"integer"|"boolean"|"choice"|"choices"
---@field format? "email"|"uri"|"date"|"date-time" of a text
---@field min? number of a number its value, of a text its characters, of choices how many
---@field max? number
---@field required boolean
---@field secret boolean the answer is never written anywhere
---@field options codex-chat.Option[]
---@field other boolean whether an answer besides the options is allowed
---@field default? string|number|boolean|string[]

---@alias codex-chat.FieldAnswers table<string, string|number|boolean|string[]>

---@class (exact) codex-chat.FileBefore
---@field content? string a file with the content it had

---@class (exact) codex-chat.FilePlace
---@field path string
---@field line? integer

---@class (exact) codex-chat.Finding
---@field path string
---@field line integer
---@field last integer
---@field title string
---@field body string

---@class (exact) codex-chat.FoldEdit
---@field op "fold"
---@field from string
---@field to string
---@field label? string

---@class (exact) codex-chat.Fork
---@field keep integer how many rows the new conversation begins with
---@field query string what was asked there
---@field thread? string absent if the new conversation is given its text
---@field files integer how many files Codex has changed after that
---@field sent? codex-chat.ForkedQuery the sent query at the row

---@class (exact) codex-chat.ForkedQuery
---@field row integer
---@field end integer
---@field text? string

---@class (exact) codex-chat.FrontMatter
---@field name? string
---@field thread? string
---@field project? string
---@field model? string
---@field created? string

---@class (exact) codex-chat.InsertEdit
---@field op "insert"
---@field id string
---@field after string
---@field lines string[]
---@field gap 0|1

---@class (exact) codex-chat.ListedEffort
---@field effort string
---@field description string

---@class (exact) codex-chat.ListedModel
---@field model string
---@field name string
---@field description string
---@field isCurrent boolean
---@field effort string the default one
---@field efforts codex-chat.ListedEffort[]

---@class (exact) codex-chat.ListedThread
---@field path string
---@field root? string the project's directory, if known
---@field thread? string
---@field name string the user's name for it, else its first query, else the file's name
---@field archived boolean
---@field label string its line in a menu

---@class (exact) codex-chat.LoginState
---@field email string
---@field plan string
---@field isUsed boolean whether the configuration has the login used

---@class (exact) codex-chat.LoginTask
---@field url string
---@field code? string

---@class (exact) codex-chat.MarkEdit
---@field op "mark"
---@field id string
---@field mark "running"|"queued"|"none"
---@field text? string

---@class (exact) codex-chat.McpServer
---@field name string
---@field state string
---@field tools string[]

---@class (exact) codex-chat.NewLeft
---@field left string the checkpoint to compare with from now on

---@class (exact) codex-chat.OldImages
---@field count integer
---@field bytes number

---@class (exact) codex-chat.Option
---@field value string
---@field label string
---@field description? string

---@alias codex-chat.Phase
---| "idle"
---| "starting"
---| "running"
---| "waiting"
---| "failed"

---@class (exact) codex-chat.PlanMode
---@field on boolean

---@class (exact) codex-chat.Proposal
---@field left string the checkpoint of the files as they are
---@field proposed string the same with the patch
---@field fixed? string why the patch can be looked at only
---@field files codex-chat.ProposedFile[]

---@class (exact) codex-chat.ProposedFile
---@field path string with the patch
---@field old? string its path before, if that was another one
---@field change "created"|"deleted"|"changed"|"renamed"
---@field before? string a file with the content it has; absent: it is not there
---@field after? string a file with the content it is to get
---@field why? string why that is not known: completes "cannot be edited: "

---@class (exact) codex-chat.RefusedHost
---@field host string
---@field times integer

---@class (exact) codex-chat.ReloadRoot
---@field root string

---@class (exact) codex-chat.Relocation
---@field path? string
---@field reason? string

---@class (exact) codex-chat.Removable
---@field caches codex-chat.CacheVolume[] of this project
---@field gone codex-chat.CacheVolume[] of projects that are gone
---@field images codex-chat.OldImages

---@class (exact) codex-chat.RemoveEdit
---@field op "remove"
---@field id string

---@class (exact) codex-chat.ReplaceEdit
---@field op "replace"
---@field id string
---@field lines string[]

---@class (exact) codex-chat.RestoreConflict
---@field path string
---@field why string
---@field wanted? string a file with the content that it was to get

---@class (exact) codex-chat.RestoredFile
---@field path string
---@field change "created"|"deleted"|"changed"

---@class (exact) codex-chat.Revert
---@field from integer the first row that goes
---@field turns integer how many turns go
---@field files integer how many files Codex has changed in them
---@field copy? string the copy of the file, once confirmed

---@class (exact) codex-chat.SandboxStatus
---@field engine string
---@field runtime string
---@field attached boolean whether this host uses the container
---@field others integer how many other Neovims use it
---@field notes string[]
---@field container? codex-chat.Container

---@class (exact) codex-chat.SelfTestCheck
---@field name string
---@field part string
---@field tries string
---@field happened string
---@field verdict "held"|"weaker"|"failed"

---@class (exact) codex-chat.SelfTestFailed
---@field held false
---@field message string
---@field fix? string
---@field checks codex-chat.SelfTestCheck[]
---@field ended boolean whether the sandbox ran, and was ended for it

---@class (exact) codex-chat.SelfTestHeld
---@field held true
---@field engine string
---@field runtime string
---@field image string
---@field kernel string
---@field gvisor boolean
---@field checks codex-chat.SelfTestCheck[]

---@class (exact) codex-chat.SentPart
---@field text? string
---@field image? string
---@field skill? codex-chat.SkillPart

---@class (exact) codex-chat.ShellPlace
---@field socket string
---@field container string
---@field cwd string

---@class (exact) codex-chat.SkillPart
---@field name string
---@field path string

---@class (exact) codex-chat.StartedSandbox
---@field sandbox string

---@class (exact) codex-chat.State
---@field phase codex-chat.Phase
---@field detail? string what is being prepared, or why it failed
---@field shorter? string[] of `detail`, for narrow windows, the longest first
---@field model? string
---@field mode? string the effort, and "plan" in plan mode
---@field sandbox? string
---@field tokens? codex-chat.Tokens
---@field queued? integer
---@field note? string

---@class (exact) codex-chat.Terminal
---@field id string
---@field command string
---@field cwd string
---@field block? string where the conversation shows it

---@class (exact) codex-chat.Tokens
---@field last? integer of the last request
---@field total? integer of the whole thread
---@field window? integer how many the model's context window holds

---@class (exact) codex-chat.ToolCall
---@field id string
---@field tool string
---@field arguments any

---@class (exact) codex-chat.TurnFailure
---@field kind string
---@field message string
---@field fix? string the command or step that helps

---@class (exact) codex-chat.Undone
---@field queries string[] the turns, by the beginning of their queries, quoted
---@field files codex-chat.RestoredFile[]
---@field conflicts codex-chat.RestoreConflict[]
---@field others string[] conversations that worked at the same time

---@class (exact) codex-chat.Usage
---@field last? integer of the last request
---@field total? integer of the whole thread
---@field window? integer

---@class (exact) codex-chat.UsageLimit
---@field usedPercent number
---@field windowDurationMins? number
---@field resetsAt? number in seconds since 1970

---@class (exact) codex-chat.ThreadsList
---@field id integer
---@field where { state_dir: string, root: string, chats: string, history?: string, all: boolean }
---@field archived boolean
---@field open { path: string, head: string }[]

---@class (exact) codex-chat.ThreadsSearch
---@field id integer
---@field where { state_dir: string, root: string, chats: string, history?: string, all: boolean }
---@field text string

---@class (exact) codex-chat.ThreadsChange
---@field id integer
---@field task "check"|"rename"|"archive"|"unarchive"|"delete"
---@field state_dir string
---@field path string
---@field root? string
---@field thread? string
---@field name? string
---@field archived boolean
---@field open? { busy: boolean, head: string }
---@field new_name? string

---@class (exact) codex-chat.ChatOpen
---@field path string
---@field root string
---@field project_dir string
---@field settings table<string, any> as src/session/settings/settings.ts reads them

---@class (exact) codex-chat.ChatConfigure
---@field settings table<string, any>

---@class (exact) codex-chat.TurnSend
---@field id string
---@field text string as typed, without blank lines around it
---@field mode? "steer"|"queue"
---@field context_line? string stands below the text, and says what goes along
---@field unsaved? string[] files with changes that are not saved, relative to the project's root
---@field context? codex-chat.SentPart[]

---@class (exact) codex-chat.QueryEdit
---@field id string
---@field text? string absent if the query was deleted

---@class (exact) codex-chat.FileSaved
---@field path string
---@field before? string a copy of the file from before; the host removes it. Absent: there was none

---@class (exact) codex-chat.ApprovalAnswer
---@field id string
---@field decision codex-chat.Decision
---@field reason? string
---@field answers? codex-chat.FieldAnswers

---@class (exact) codex-chat.ToolAnswer
---@field id string
---@field ok boolean
---@field text string

---@class (exact) codex-chat.ActionRun
---@field id integer
---@field name string a name of src/nvim/actions.ts
---@field params? table<string, any>|any[]

---@class (exact) codex-chat.QueryHeardEvent
---@field buf integer
---@field ids string[]

---@class (exact) codex-chat.TurnStartedEvent
---@field buf integer
---@field turnId string

---@class (exact) codex-chat.TurnEndedEvent
---@field buf integer
---@field status "completed"|"interrupted"|"failed"
---@field failure? codex-chat.TurnFailure

---@class (exact) codex-chat.ApprovalRequestedEvent
---@field buf integer
---@field id string
---@field title string

---@class (exact) codex-chat.ThreadForkParams
---@field row integer

---@class (exact) codex-chat.ThreadRevertParams
---@field row integer
---@field confirmed? boolean

---@class (exact) codex-chat.ThreadReviewParams
---@field target "uncommitted"|"base"|"commit"|"custom"
---@field argument? string

---@class (exact) codex-chat.ModelSetParams
---@field model? string
---@field effort? string

---@class (exact) codex-chat.PlanSetParams
---@field on? boolean absent: the other of the two

---@class (exact) codex-chat.ApprovalsSetParams
---@field policy string

---@class (exact) codex-chat.TerminalsStopParams
---@field id string

---@class (exact) codex-chat.CommitsShowParams
---@field oid string

---@class (exact) codex-chat.ChangesListParams
---@field since? "turn"|"all"|integer since the turn at the row, the conversation's beginning, or its turn of this number
---@field row? integer absent: the last turn that changed anything
---@field quick? boolean compares with the last checkpoint, without looking at the files again

---@class (exact) codex-chat.ChangesFileParams
---@field left string
---@field path string

---@class (exact) codex-chat.ChangesAcceptParams
---@field left string
---@field files { path: string, hunks?: { left: any[], right: any[] }[], sha256?: string }[]

---@class (exact) codex-chat.ChangesRejectParams
---@field left string
---@field paths string[]

---@class (exact) codex-chat.CommentsSetParams
---@field comments codex-chat.Comment[]

---@class (exact) codex-chat.ChangesUndoParams
---@field row? integer
---@field scope? "turn"|"since"

---@class (exact) codex-chat.PatchShowParams
---@field id string of the question that is about the patch

---@class (exact) codex-chat.PatchApplyParams
---@field id string
---@field left string
---@field proposed string
---@field files { path: string, old?: string, text?: string }[]

---@class (exact) codex-chat.SandboxClearParams
---@field turn? boolean ends a running turn as well
---@field others? boolean ends the container from under other Neovims as well

---@class (exact) codex-chat.SandboxRestartParams
---@field turn? boolean ends a running turn as well
---@field others? boolean ends the container from under other Neovims as well

---@class (exact) codex-chat.SandboxRebuildParams
---@field turn? boolean ends a running turn as well
---@field others? boolean ends the container from under other Neovims as well

---@class (exact) codex-chat.SandboxUnprotectParams
---@field path string

---@class (exact) codex-chat.NetworkForgetParams
---@field entry string

---@class (exact) codex-chat.GoalSetParams
---@field objective? string
---@field active boolean

---@class (exact) codex-chat.DockerfileAllowParams
---@field hash string

---@class (exact) codex-chat.LoginStartParams
---@field way "browser"|"device"

---@alias codex-chat.ThreadForkResult codex-chat.Fork

---@alias codex-chat.ThreadRevertResult codex-chat.Revert

---@alias codex-chat.ModelListResult codex-chat.ListedModel[]

---@alias codex-chat.PlanSetResult codex-chat.PlanMode

---@alias codex-chat.ApprovalsListResult codex-chat.ApprovalPolicies

---@alias codex-chat.TerminalsListResult codex-chat.Terminal[]

---@alias codex-chat.StatusReadResult codex-chat.ConversationStatus

---@alias codex-chat.McpListResult codex-chat.McpServer[]

---@alias codex-chat.CommitsListResult codex-chat.Commit[]

---@alias codex-chat.CommitsShowResult string

---@alias codex-chat.CommitsLogResult string

---@alias codex-chat.ChangesListResult codex-chat.Changes

---@alias codex-chat.ChangesFileResult codex-chat.FileBefore

---@alias codex-chat.ChangesAcceptResult codex-chat.NewLeft

---@alias codex-chat.ChangesUnacceptResult codex-chat.NewLeft

---@alias codex-chat.ChangesRejectResult codex-chat.Undone

---@alias codex-chat.CommentsListResult codex-chat.Comment[]

---@alias codex-chat.ChangesUndoResult codex-chat.Undone

---@alias codex-chat.ChangesRedoResult codex-chat.Undone

---@alias codex-chat.PatchShowResult codex-chat.Proposal

---@alias codex-chat.PatchApplyResult codex-chat.EditedPatch

---@alias codex-chat.SandboxStatusResult codex-chat.SandboxStatus

---@alias codex-chat.SandboxCheckResult codex-chat.SelfTestHeld|codex-chat.SelfTestFailed

---@alias codex-chat.SandboxShellResult codex-chat.ShellPlace

---@alias codex-chat.SandboxSpaceResult codex-chat.Removable

---@alias codex-chat.SandboxPruneResult string

---@alias codex-chat.SandboxClearResult string

---@alias codex-chat.SandboxRestartResult codex-chat.StartedSandbox

---@alias codex-chat.SandboxRebuildResult codex-chat.StartedSandbox

---@alias codex-chat.SandboxUnprotectResult string

---@alias codex-chat.NetworkListResult codex-chat.AllowedHosts

---@alias codex-chat.GoalSetResult string the objective

---@alias codex-chat.DockerfileAllowResult string

---@alias codex-chat.LoginStartResult codex-chat.LoginTask

---@alias codex-chat.LoginFinishResult codex-chat.LoginState

---@alias codex-chat.LoginEndResult codex-chat.EndedLogin

---@alias codex-chat.NotificationName see host.notify
---| "threads/list"
---| "threads/search"
---| "threads/change"
---| "chat/open"
---| "chat/close"
---| "chat/reread"
---| "chat/save"
---| "chat/leave"
---| "chat/configure"
---| "turn/send"
---| "query/edit"
---| "sandbox/prepare"
---| "file/saved"
---| "turn/interrupt"
---| "turn/retry"
---| "approval/answer"
---| "sandbox/stop"
---| "tool/answer"
---| "action/run"

---@alias codex-chat.ActionName see host.request
---| "thread/fork"
---| "thread/revert"
---| "thread/compact"
---| "thread/review"
---| "model/list"
---| "model/set"
---| "plan/set"
---| "approvals/list"
---| "approvals/set"
---| "terminals/list"
---| "terminals/clean"
---| "terminals/stop"
---| "status/read"
---| "mcp/list"
---| "commits/list"
---| "commits/show"
---| "commits/log"
---| "changes/list"
---| "changes/file"
---| "changes/accept"
---| "changes/unaccept"
---| "changes/reject"
---| "comments/list"
---| "comments/set"
---| "changes/undo"
---| "changes/redo"
---| "patch/show"
---| "patch/apply"
---| "sandbox/status"
---| "sandbox/check"
---| "sandbox/shell"
---| "sandbox/space"
---| "sandbox/prune"
---| "sandbox/clear"
---| "sandbox/restart"
---| "sandbox/rebuild"
---| "sandbox/unprotect"
---| "network/list"
---| "network/forget"
---| "goal/set"
---| "goal/clear"
---| "dockerfile/allow"
---| "login/start"
---| "login/finish"
---| "login/cancel"
---| "login/end"

---@class (exact) codex-chat.Handlers what the host calls
---@field buf_set_edits fun(buf: integer, edits: codex-chat.Edit[]): codex-chat.EditsApplied|codex-chat.EditsRefused
---@field buf_set_state fun(buf: integer, state: codex-chat.State)
---@field buf_set_approval fun(buf: integer, change: codex-chat.ApprovalRequest|codex-chat.ApprovalEnd)
---@field buf_set_meta fun(buf: integer, meta: codex-chat.FrontMatter)
---@field buf_set_name fun(buf: integer, path: string)
---@field buf_set_saved fun(buf: integer, hash: string)
---@field buf_is_own fun(buf: integer, hash: string, here: string, is_first: boolean): "own"|"other"|"stale"
---@field chat_reload fun(buf: integer, hash: string): boolean
---@field chat_confirm fun(buf: integer)
---@field chat_relocate fun(buf: integer, to: codex-chat.Relocation)
---@field buf_show_file fun(buf: integer, at: codex-chat.FilePlace)
---@field quickfix_set fun(findings: codex-chat.Finding[])
---@field tool_run fun(buf: integer, call: codex-chat.ToolCall)
---@field threads_page fun(id: integer, threads: codex-chat.ListedThread[])
---@field threads_let_go fun(path: string): boolean
---@field action_answer fun(id: integer, answer: codex-chat.ActionValue|codex-chat.ActionFailure)
---@field ui_notify fun(level: "info"|"warn"|"error", message: string)
---@field buf_reload fun(what: string[]|codex-chat.ReloadRoot)
---@field event_emit fun(name: "QueryHeard"|"TurnStarted"|"TurnEnded"|"ApprovalRequested", data: table<string, any>)
