/** What notifications tell beside the text, for `:CodexChat status` and `:CodexChat mcp`. */
import type { RateLimits } from "../../codex/messages/index.ts";
import { copied } from "../control-characters.ts";
import { codeSpan } from "../fences.ts";
import { type Draft, patchState } from "../reducer-context.ts";
import { omittedBlock } from "../spent.ts";
import type { ChatState, TokenUsage } from "../state.ts";

/** Tokens, limits and servers as they were told last, the turn, and the items that go on. */
export type StatusFacts = Pick<ChatState, "usage" | "limits" | "brokenServers" | "turn" | "items">;

/** The block of a command that still runs; undefined where the document does not show it. */
export function commandBlock(facts: StatusFacts, itemId: string): string | undefined {
  const item = facts.items.get(itemId);
  return item?.kind === "command" && item.block !== omittedBlock ? item.block : undefined;
}

/** As many as are kept; a program inside may forge any number of names. */
const maxServers = 100;
const maxReason = 500;
const maxStartup = 10_000;

type Startup = {
  readonly name: string;
  readonly status: string;
  readonly error?: string | null | undefined;
};

/** Notes how an MCP server started, and gives a sentence where it could not. */
export function noteServer(draft: Draft, startup: Startup): string | undefined {
  const { name, status, error } = startup;
  const key = copied(name.slice(0, maxReason));
  const servers = new Map(draft.state.brokenServers);
  servers.delete(key);
  if (status !== "failed") {
    if (draft.state.brokenServers.has(key)) patchState(draft, { brokenServers: servers });
    return undefined;
  }
  const why = (error ?? "")
    .slice(0, maxStartup)
    .replace(/^MCP client for `[^`]*` failed to start: (?:MCP startup failed: )?/, "");
  if (servers.size < maxServers) {
    servers.set(key, copied(why.slice(0, maxReason)));
    patchState(draft, { brokenServers: servers });
  }
  const reason = why === "" ? "." : `: ${why}`;
  return `The MCP server ${codeSpan(name, 100)} could not be started${reason}`;
}

/** The limits after a sparse update: a window that it leaves out is as it was. */
export function mergedLimits(before: RateLimits | undefined, update: RateLimits): RateLimits {
  return {
    primary: update.primary ?? before?.primary,
    secondary: update.secondary ?? before?.secondary,
  };
}

type TokenCounts = {
  readonly last: { readonly totalTokens: number };
  readonly total: { readonly totalTokens: number };
  readonly modelContextWindow?: number | null | undefined;
};

/**
 * Tokens after an update. What was counted last stays where an update tells no count: after a request
 * that was too long Codex 0.169 takes the window for the total, or forgets what it knew.
 */
export function newUsage(before: TokenUsage | undefined, update: TokenCounts): TokenUsage {
  const total = update.total.totalTokens;
  const window = update.modelContextWindow ?? before?.window ?? null;
  if (before !== undefined && (total === 0 || total === window)) return { ...before, window };
  return { last: update.last.totalTokens, total, window };
}
