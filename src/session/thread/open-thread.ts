import { setTimeout as pause } from "node:timers/promises";
import type { ParamsOf, ResultOf } from "../../codex/index.ts";
import { err, ok, type Result } from "../../result.ts";
import { damagedHome, type Failure } from "../failure.ts";
import { aboutSandbox, type Settings } from "../settings/index.ts";
import { editorTools } from "./editor-tools.ts";
import type { LoadedThread, ThreadDocument } from "./loaded-thread.ts";
import type { ThreadAhead } from "./thread-ahead.ts";
import { hasAnswers, prefaceOf } from "./transcript-preface.ts";

/** What Codex reports when it loads a thread. */
export type ThreadFacts = {
  readonly model: string;
  readonly effort: string | undefined;
  /** Paths of the instruction files in force. */
  readonly instructions: readonly string[];
};

/** A loaded thread, and the texts to give it before the next query. */
export type OpenedThread = {
  readonly threadId: string;
  readonly preface: readonly string[];
  /** Absent if it was loaded already. */
  readonly facts?: ThreadFacts;
  /** Whether it was started just now, or copied from the conversation's own with all that was said. */
  readonly isNew?: true | "copy";
};

/** What happens to a conversation whose thread cannot be used. */
export type OpenHow = {
  /** How many queries at the text's end go into the thread now. */
  readonly sending: number;
  /** Whether a new thread replaces it; else the error is `thread_unusable`. */
  readonly mayReplace: boolean;
};

type OpenOptions = OpenHow & {
  readonly client: LoadedThread["client"];
  readonly document: ThreadDocument;
  readonly settings: Settings;
  readonly root: string;
  /** Where Codex keeps its threads, as a path of the user's machine. */
  readonly codexHome: string;
  /** Whether this very app-server has the thread loaded. */
  readonly isLoaded: boolean;
  /** Why the thread must no longer be used, if that is known already. */
  readonly unusable: string | undefined;
  /** Most characters of the text that a new thread is given. */
  readonly maxChars: number;
  /** A thread that was started ahead of its first query. */
  readonly ahead: ThreadAhead;
  readonly signal: AbortSignal;
};

/** The kind of failure of a thread that cannot be used, whatever is tried. */
export const UNUSABLE = "thread_unusable";

/**
 * Loads the conversation's thread, or starts one. A thread that cannot be used, for whatever reason, is
 * replaced by a new one that is given the text, and the document says so; a failure that may pass by
 * itself is returned.
 */
export async function openThread(options: OpenOptions): Promise<Result<OpenedThread, Failure>> {
  const { document, isLoaded } = options;
  const known = document.meta.thread;
  if (known === undefined) return startWithText(options, undefined);
  let why: Failure = { kind: UNUSABLE, message: options.unusable ?? "" };
  if (options.unusable === undefined) {
    if (isLoaded) return ok({ threadId: known, preface: [] });
    const resumed = await resumeArchived(options, known);
    if (resumed.ok) return ok({ threadId: known, preface: [], facts: resumed.value });
    if (resumed.error.kind === "thread_busy") return copyThread(options, known);
    if (maySucceedLater(resumed.error)) return resumed;
    why = resumed.error;
  }
  return options.mayReplace
    ? startWithText(options, why)
    : err({ kind: UNUSABLE, message: why.message });
}

/** Whether a thread that could not be loaded may load another time. */
function maySucceedLater({ kind }: Failure): boolean {
  return ["timeout", "aborted", "closed", "invalid_config"].includes(kind);
}

/** Starts a thread and gives it the text so far. `why` is the failure of the thread before it. */
async function startWithText(
  options: OpenOptions,
  why: Failure | undefined,
): Promise<Result<OpenedThread, Failure>> {
  const { document, sending, maxChars } = options;
  const text = document.text();
  // Without a thread and without answers, all above is queries that are still to be sent.
  const isNews = why === undefined && !hasAnswers(text);
  const told = isNews ? { text: "", isCut: false } : prefaceOf(text, sending, maxChars);
  const started = await startThread(options, told.text === "" ? [] : [told.text]);
  if (started.ok && told.text !== "")
    document.apply({ type: "note", text: replacedText(why, told.isCut) });
  return started;
}

function replacedText(why: Failure | undefined, isCut: boolean): string {
  const part = isCut ? " as far as it fits" : "";
  if (why === undefined)
    return `Codex has no memory of the text above. It is given the text${part === "" ? " as it stands" : part}.`;
  const goesOn = `It goes on in a new thread, which is given the text above${part}.`;
  return why.kind === "thread_unknown"
    ? `Codex no longer has this conversation in its memory. ${goesOn}`
    : `The thread of this conversation cannot be used any more: ${reasonOf(why.message)}. ${goesOn}`;
}

/** The reason in a message of Codex, without the steps that it repeats and without long paths. */
function reasonOf(message: string): string {
  const reason = message
    .replace(/^Codex refused \S+: /, "")
    .replaceAll("thread-store internal error: ", "")
    .replace(/(failed to [a-z ]+(?: \/\S+)?: )\1+/g, "$1")
    .replace(/\/\S*\/(?=[^/\s]+\.(?:jsonl|sqlite)\b)/g, "")
    .replace(/[.\s]+$/, "");
  return reason.length <= MAX_REASON ? reason : `${reason.slice(0, MAX_REASON)}…`;
}

const MAX_REASON = 300;

async function startThread(
  { client, document, settings, root, codexHome, ahead, signal }: OpenOptions,
  preface: readonly string[],
): Promise<Result<OpenedThread, Failure>> {
  const params = startParams(root, settings);
  const waiting = await ahead.take(client, params);
  const started =
    waiting === undefined ? await client.request("thread/start", params, { signal }) : ok(waiting);
  if (!started.ok)
    return started.error.kind === "refused"
      ? err({ ...started.error, fix: damagedHome(codexHome) })
      : started;
  const { thread, model } = started.value;
  document.setMeta({ thread: thread.id, model });
  return ok({ threadId: thread.id, preface, facts: factsOf(started.value), isNew: true });
}

/** Loads the thread; an archived one is unarchived first, since the conversation goes on. */
async function resumeArchived(
  options: OpenOptions,
  threadId: string,
): Promise<Result<ThreadFacts, Failure>> {
  const resumed = await resumeFree(options, threadId);
  if (resumed.ok || resumed.error.kind !== "thread_archived") return resumed;
  const { client, signal } = options;
  const unarchived = await client.request("thread/unarchive", { threadId }, { signal });
  return unarchived.ok ? resumeThread(options, threadId) : unarchived;
}

/**
 * Copies a thread that another app-server has loaded, with all that was said, and goes on in the copy.
 * This host has the lock of the conversation's file, so nobody goes on in the other one: Codex keeps a
 * thread loaded for half an hour after its conversation was closed in another Neovim (0.171).
 */
async function copyThread(
  { client, document, settings, root, signal }: OpenOptions,
  threadId: string,
): Promise<Result<OpenedThread, Failure>> {
  const { model } = settings;
  const copied = await client.request(
    "thread/fork",
    {
      threadId,
      ...threadPlace(root, settings),
      excludeTurns: true,
      ...(model === undefined ? {} : { model }),
    },
    { signal },
  );
  if (!copied.ok) return copied;
  const { thread } = copied.value;
  document.setMeta({ thread: thread.id, model: copied.value.model });
  return ok({ threadId: thread.id, preface: [], facts: factsOf(copied.value), isNew: "copy" });
}

/** How long the app-server of a host that was killed has to end, and how often is looked. */
const LET_GO_MS = 2_000;
const LOOK_MS = 200;

/** Loads the thread, once the app-server of a host that was killed has let go of it. */
async function resumeFree(
  options: OpenOptions,
  threadId: string,
): Promise<Result<ThreadFacts, Failure>> {
  const deadline = performance.now() + LET_GO_MS;
  for (;;) {
    const resumed = await resumeThread(options, threadId);
    const isBusy = !resumed.ok && resumed.error.kind === "thread_busy";
    if (!isBusy || options.signal.aborted || performance.now() > deadline) return resumed;
    await pause(LOOK_MS, undefined, { signal: options.signal }).catch(() => {});
  }
}

async function resumeThread(
  options: OpenOptions,
  threadId: string,
): Promise<Result<ThreadFacts, Failure>> {
  const { client, document, settings, root, signal } = options;
  const resumed = await client.request(
    "thread/resume",
    {
      threadId,
      ...threadPlace(root, settings),
      excludeTurns: true,
      developerInstructions: aboutSandbox(settings.network.allow),
      ...(settings.model === undefined ? {} : { model: settings.model }),
    },
    { signal },
  );
  if (!resumed.ok) return err(resumed.error);
  const whole = await checkWhole(options, threadId);
  if (!whole.ok) return whole;
  document.setMeta({ model: resumed.value.model });
  return ok(factsOf(resumed.value));
}

/** What a new thread is started with. */
export function startParams(root: string, settings: Settings): ParamsOf<"thread/start"> {
  return {
    ...threadPlace(root, settings),
    dynamicTools: editorTools(settings),
    developerInstructions: aboutSandbox(settings.network.allow),
    ...(settings.model === undefined ? {} : { model: settings.model }),
  };
}

/** Where a thread works and when it asks, whether it is started, resumed or forked. */
export function threadPlace(root: string, settings: Pick<Settings, "approvals">) {
  return {
    cwd: root,
    // Not inherited from the thread: without it Codex would try its own sandbox, which cannot nest.
    sandbox: "danger-full-access",
    approvalPolicy: settings.approvals,
  } as const;
}

/** A turn that no thread has. */
const NO_TURN = "00000000-0000-7000-8000-000000000000";

/**
 * Checks whether Codex still has all of a thread that it has resumed. It resumes one whose file was cut
 * off with the rest of it, or with nothing, and does not say so (0.169). Only a fork compares the file
 * with what Codex knows of it, and does so before it looks for the turn that it is to end with.
 */
async function checkWhole(options: OpenOptions, threadId: string): Promise<Result<void, Failure>> {
  const { client, root, settings, signal } = options;
  const looked = await client.request(
    "thread/fork",
    { threadId, ...threadPlace(root, settings), excludeTurns: true, lastTurnId: NO_TURN },
    { signal },
  );
  if (looked.ok || /turn not found/i.test(looked.error.message)) return ok();
  return err(looked.error);
}

function factsOf(thread: ResultOf<"thread/start">): ThreadFacts {
  return {
    model: thread.model,
    effort: thread.reasoningEffort ?? undefined,
    instructions: thread.instructionSources,
  };
}
