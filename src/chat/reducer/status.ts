/**
 * Facts from notifications that are not in the text, for `:CodexChat status` and `:CodexChat mcp`.
 */
import type { RateLimits } from "../../codex/messages/index.ts";
import { copied } from "../control-characters.ts";
import { codeSpan } from "../fences.ts";
import { type Draft, patchState } from "../reducer-context.ts";
import { omittedBlock } from "../spent.ts";
import type { ChatState, TokenUsage } from "../state.ts";

/** The last reported tokens, limits and broken servers, the turn, and the open items. */
export type StatusFacts = Pick<ChatState, "usage" | "limits" | "brokenServers" | "turn" | "items">;

/** The block of a command that still runs; undefined if the document does not show it. */
export function commandBlock(facts: StatusFacts, itemId: string): string | undefined {
  const item = facts.items.get(itemId);
  return item?.kind === "command" && item.block !== omittedBlock ? item.block : undefined;
}

/** How many are kept; a program inside may forge any number of names. */
const maxServers = 100;
const maxReason = 500;
const maxStartup = 10_000;

type Startup = {
  readonly name: string;
  readonly status: string;
  readonly error?: string | null | undefined;
};

/** Records how an MCP server started; returns a sentence if it failed. */
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

/** The limits after a partial update: an omitted window is unchanged. */
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
 * Tokens after an update. The last count stays if the update has none: after a request that was too
 * long, Codex 0.169 reports the window as the total, or 0.
 */
export function newUsage(before: TokenUsage | undefined, update: TokenCounts): TokenUsage {
  const total = update.total.totalTokens;
  const window = update.modelContextWindow ?? before?.window ?? null;
  if (before !== undefined && (total === 0 || total === window)) return { ...before, window };
  return { last: update.last.totalTokens, total, window };
}
