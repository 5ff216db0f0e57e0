/**
 * What happens before and after each turn: git, protected files, MCP servers, letting go of files.
 *
 * A hook must not know the conversation, only the turn.
 */
export { beginGit, gitPlace, gitTurnHook, type PreparedGit, prepareGit } from "./agent-git.ts";
export { HostWatch } from "./host-watch.ts";
export { latePathsText } from "./late-text.ts";
export { LetGoHooks } from "./let-go.ts";
export { startFault } from "./mcp-failures.ts";
export { McpStart } from "./mcp-start.ts";
export { Protection } from "./protection.ts";
export {
  type HookedTurn,
  type TurnHook,
  TurnHookRunner,
  type TurnHooks,
} from "./turn-hook.ts";
