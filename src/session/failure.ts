import type { ChatEvent, Repeats } from "../chat/index.ts";

/**
 * What keeps a turn from being had, in words for the person at the editor.
 *
 * Every folder has its own error union; here they meet. `kind` is theirs, so that tests and the
 * health check can tell causes apart without reading sentences.
 */
export type Failure = {
  readonly kind: string;
  /** What failed and what was expected, one or two sentences. */
  readonly message: string;
  /** The command or step that mends it. */
  readonly fix?: string | undefined;
  /** Of a turn: why the same request would fail again. */
  readonly repeats?: Repeats;
};

/** The failure of a wait that the user ended. */
export const STOPPED: Failure = { kind: "stopped", message: "Stopped." };

/** Settles with that failure when the signal is aborted, and not before. */
export function stopped(signal: AbortSignal): Promise<{ ok: false; error: Failure }> {
  return new Promise((resolve) => {
    const give = () => resolve({ ok: false, error: STOPPED });
    if (signal.aborted) give();
    else signal.addEventListener("abort", give, { once: true });
  });
}

/** The failure of what cannot be done while a turn runs. */
export const BUSY: Failure = {
  kind: "busy",
  message: "A turn is running.",
  fix: "Wait for its end, or stop it with :CodexChat stop.",
};

/** The failure of a turn whose queries the user has all deleted while they waited. */
export const DROPPED: Failure = { kind: "dropped", message: "The query was deleted." };

/** The failure of a query that turns have ended without, again and again. */
export const NOT_TAKEN: Failure = {
  kind: "not_taken",
  message: "Codex did not take the message.",
  fix: "Press <CR> to send it again.",
};

/** How long Codex may take to end an interrupted turn before everything is started anew. */
export const INTERRUPT_MS = 10_000;

/** The failure of a turn that Codex did not end in that time. */
export const NOT_INTERRUPTED: Failure = {
  kind: "interrupt",
  message: `Codex did not stop within ${INTERRUPT_MS / 1000} s, so it was ended.`,
  fix: "Send again: everything is started anew.",
};

/** What helps where Codex's own files keep it from working at all. */
export function damagedHome(codexHome: string): string {
  return (
    `Codex's own files may be damaged. End the sandbox with :CodexChat sandbox stop, move ${codexHome} ` +
    "to another place, then :CodexChat retry. Each conversation then goes on in a new thread, which " +
    "is given its text."
  );
}

/** How the document is told of it. */
export function failed({ message, fix }: Failure): Extract<ChatEvent, { type: "turn_failed" }> {
  return { type: "turn_failed", message, ...(fix === undefined ? {} : { fix }) };
}

/** One line for logs and command-line output. */
export function failureLine(failure: Failure): string {
  return failure.fix === undefined ? failure.message : `${failure.message} ${failure.fix}`;
}

/** Turns something thrown by a library into a failure, keeping only its message. */
export function failureOf(kind: string, what: string, thrown: unknown): Failure {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const fix = thrown instanceof Error && "fix" in thrown ? String(thrown.fix) : undefined;
  return { kind, message: `${what}: ${reason}`, fix };
}
