import type { Result } from "../../result.ts";
import { GVISOR } from "../backend/index.ts";
import type { LiveDocument } from "../document/index.ts";
import type { Failure } from "../failure.ts";
import type { TurnHookRunner } from "../hooks/index.ts";
import type { LoadedThread, ThreadHandle } from "../thread/index.ts";
import type { Goal } from "./goal.ts";
import type { ProjectPort, StartTurn } from "./ports.ts";
import type { TurnBudget } from "./turn-budget.ts";

/** The parts of a conversation that a turn's beginning needs. */
export type TurnParts = {
  readonly document: LiveDocument;
  readonly host: ProjectPort;
  readonly thread: ThreadHandle;
  readonly goal: Goal;
  readonly rites: TurnHookRunner;
  readonly budget: TurnBudget;
};

/**
 * Loads the thread, does what comes before a turn, and begins it; gives its id, where that is told.
 * `sending` is how many queries at the text's end go into it.
 */
export async function startTurn(
  parts: TurnParts,
  start: StartTurn,
  { signal, sending }: { readonly signal: AbortSignal; readonly sending: number },
): Promise<Result<string | undefined, Failure>> {
  const { document, host, thread } = parts;
  const renewed = await host.renewBackend();
  if (!renewed.ok) return renewed;
  let isReady = false;
  const begin: StartTurn = async (loaded) => {
    host.threadKnown(loaded.threadId);
    // Once, though the thread may have to be loaded a second time.
    const ready = isReady ? undefined : await prepare(parts, loaded, signal);
    if (ready?.ok === false) return ready;
    isReady = true;
    // Not ended by the signal: Codex may have the turn already, and it is then interrupted.
    return start(loaded);
  };
  return thread.use(begin, {
    signal,
    onProgress: (detail) => document.setState({ phase: "starting", detail }),
    sending,
    mayReplace: true,
  });
}

async function prepare(
  { document, goal, rites, budget }: TurnParts,
  { threadId, backend }: LoadedThread,
  signal: AbortSignal,
): Promise<Result<void, Failure>> {
  goal.follow(backend);
  const { egress, notes, sandboxLabel } = backend;
  for (const text of notes) document.apply({ type: "note", text, once: true });
  if (sandboxLabel !== GVISOR)
    document.apply({ type: "note", text: `This turn runs in ${sandboxLabel}.` });
  const ready = await rites.begin({ threadId, path: document.path }, signal);
  if (ready.ok) budget.begin(egress);
  return ready;
}
