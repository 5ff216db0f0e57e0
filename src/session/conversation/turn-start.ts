import type { Progress } from "../../log.ts";
import { err, type Result } from "../../result.ts";
import { type Failure, STOPPED } from "../failure.ts";
import { GVISOR } from "../gvisor.ts";
import type { TurnHookRunner } from "../hooks/index.ts";
import type { LoadedThread } from "../thread/index.ts";
import type { Goal } from "./goal.ts";
import type { DocumentPort, ProjectPort, StartTurn, ThreadPort } from "./ports.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** The parts of a conversation that a turn's beginning needs. */
export type TurnParts = {
  readonly document: Pick<DocumentPort, "apply" | "path">;
  readonly host: Pick<ProjectPort, "renewBackend" | "flushEarlyNotifications">;
  readonly thread: Pick<ThreadPort, "use">;
  readonly goal: Goal;
  readonly hooks: TurnHookRunner;
  readonly budget: TurnBudget;
  readonly showProgress: (detail: Progress) => void;
};

/** How a turn is started. */
export type TurnStart = {
  readonly signal: AbortSignal;
  /** How many queries at the text's end go into it. */
  readonly sending: number;
  /** Their texts. */
  readonly queries: readonly string[];
};

/**
 * Loads the thread, runs the hooks that come before a turn, and requests the turn; gives its id,
 * where the answer tells it.
 */
export async function startTurn(
  parts: TurnParts,
  start: StartTurn,
  { signal, sending, queries }: TurnStart,
): Promise<Result<string | undefined, Failure>> {
  const { host, thread } = parts;
  const renewed = await host.renewBackend();
  if (!renewed.ok) return renewed;
  let isReady = false;
  const begin: StartTurn = async (loaded) => {
    host.flushEarlyNotifications(loaded.threadId);
    // Once, though the thread may have to be loaded a second time.
    const ready = isReady ? undefined : await prepare(parts, loaded, queries, signal);
    if (ready?.ok === false) return ready;
    isReady = true;
    return start(loaded);
  };
  return thread.use(begin, {
    signal,
    onProgress: (detail) => parts.showProgress(detail),
    sending,
    mayReplace: true,
  });
}

async function prepare(
  { document, goal, hooks, budget, showProgress }: TurnParts,
  { threadId, backend }: LoadedThread,
  queries: readonly string[],
  signal: AbortSignal,
): Promise<Result<void, Failure>> {
  goal.follow(backend);
  const { egress, notes, sandboxLabel } = backend;
  for (const text of notes) document.apply({ type: "note", text, once: true });
  if (sandboxLabel !== GVISOR)
    document.apply({ type: "note", text: `This turn runs in ${sandboxLabel}.` });
  const turn = { threadId, path: document.path, queries, showProgress };
  const begun = await hooks.begin(turn, signal);
  // SECURITY: a turn that was stopped or closed meanwhile gets no way to the model.
  if (signal.aborted) return err(STOPPED);
  if (begun.ok) budget.begin(egress, hooks.ready());
  return begun;
}
