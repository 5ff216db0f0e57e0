import type { CodexClient, ResultOf } from "../codex/index.ts";
import { err, ok, type Result } from "../result.ts";
import { editorTools } from "./editor-tools.ts";
import type { Failure } from "./failure.ts";
import type { LiveDocument } from "./live-document.ts";
import { aboutSandbox } from "./local-services.ts";
import type { Settings } from "./settings.ts";

/** How much of an old conversation a new thread is told; Codex takes 1,048,576 characters a turn. */
const TRANSCRIPT_MAX_CHARS = 200_000;

/** What Codex tells of a thread when it loads it. */
export type ThreadFacts = {
  readonly model: string;
  readonly effort: string | undefined;
  /** Paths of the instruction files in force. */
  readonly instructions: readonly string[];
};

/** A thread that is loaded, and what must be said before the first query in it. */
export type OpenedThread = {
  readonly threadId: string;
  readonly preface: readonly string[];
  /** Absent where it was loaded already. */
  readonly facts?: ThreadFacts;
  /** Whether it was started just now. */
  readonly isNew?: true;
};

type OpenOptions = {
  readonly client: CodexClient;
  readonly document: LiveDocument;
  readonly settings: Settings;
  readonly root: string;
  /** Whether this very app-server has the thread loaded. */
  readonly isLoaded: boolean;
  readonly signal: AbortSignal;
};

/**
 * Loads the conversation's thread, or starts one. A thread that Codex no longer knows is replaced
 * by a new one that is told the transcript, and the document says so; any other error is returned.
 */
export async function openThread(options: OpenOptions): Promise<Result<OpenedThread, Failure>> {
  const { document, isLoaded } = options;
  const known = document.meta.thread;
  if (known !== undefined && isLoaded) return ok({ threadId: known, preface: [] });
  if (known !== undefined) {
    const resumed = await resumeArchived(options, known);
    if (resumed.ok) return ok({ threadId: known, preface: [], facts: resumed.value });
    if (resumed.error.kind !== "thread_unknown") return resumed;
  }
  // Without a thread and without answers, all above is queries that are still to be sent.
  const isNews = known === undefined && !document.hadAnswers;
  const transcript = isNews ? "" : document.toldSoFar(TRANSCRIPT_MAX_CHARS);
  if (transcript === "") return startThread(options, []);
  document.apply({
    type: "note",
    text:
      known === undefined
        ? "Codex has no memory of the text above. It is given the text as it stands."
        : "Codex no longer has this conversation in its memory. It goes on in a new thread, which is given the text above.",
  });
  return startThread(options, [transcript]);
}

async function startThread(
  { client, document, settings, root, signal }: OpenOptions,
  preface: readonly string[],
): Promise<Result<OpenedThread, Failure>> {
  const started = await client.request(
    "thread/start",
    {
      cwd: root,
      sandbox: "danger-full-access",
      approvalPolicy: settings.approvals,
      dynamicTools: editorTools(settings),
      developerInstructions: aboutSandbox(settings.network.allow),
      ...(settings.model === undefined ? {} : { model: settings.model }),
    },
    { signal },
  );
  if (!started.ok) return started;
  const { thread, model } = started.value;
  document.setMeta({ thread: thread.id, model });
  return ok({ threadId: thread.id, preface, facts: factsOf(started.value), isNew: true });
}

/** Loads the thread; one that was archived is taken out first, now that it is gone on with. */
async function resumeArchived(
  options: OpenOptions,
  threadId: string,
): Promise<Result<ThreadFacts, Failure>> {
  const resumed = await resumeThread(options, threadId);
  if (resumed.ok || resumed.error.kind !== "thread_archived") return resumed;
  const { client, signal } = options;
  const unarchived = await client.request("thread/unarchive", { threadId }, { signal });
  return unarchived.ok ? resumeThread(options, threadId) : unarchived;
}

async function resumeThread(
  { client, document, settings, root, signal }: OpenOptions,
  threadId: string,
): Promise<Result<ThreadFacts, Failure>> {
  const resumed = await client.request(
    "thread/resume",
    {
      threadId,
      cwd: root,
      // Not inherited from the thread: without it Codex would try its own sandbox, which cannot nest.
      sandbox: "danger-full-access",
      approvalPolicy: settings.approvals,
      excludeTurns: true,
      developerInstructions: aboutSandbox(settings.network.allow),
      ...(settings.model === undefined ? {} : { model: settings.model }),
    },
    { signal },
  );
  if (!resumed.ok) return err(resumed.error);
  document.setMeta({ model: resumed.value.model });
  return ok(factsOf(resumed.value));
}

function factsOf(thread: ResultOf<"thread/start">): ThreadFacts {
  return {
    model: thread.model,
    effort: thread.reasoningEffort ?? undefined,
    instructions: thread.instructionSources,
  };
}
