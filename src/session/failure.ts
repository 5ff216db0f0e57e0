import type { ChatEvent, Repeats } from "../chat/index.ts";

/**
 * Why a turn could not run, phrased for the user.
 *
 * Every folder has its own union of errors, and all of them fit here. `kind` is the folder's, so
 * that tests and the health check can distinguish causes without parsing sentences.
 */
export type Failure = {
  readonly kind: string;
  /** What failed and what was expected, in one or two sentences. */
  readonly message: string;
  /** The command or step that fixes it. */
  readonly fix?: string | undefined;
  /** For a turn: why the same request would fail again. */
  readonly repeats?: Repeats;
};

/** The failure of a wait that the user ended. */
export const STOPPED: Failure = { kind: "stopped", message: "Stopped." };

/** Resolves with that failure when the signal is aborted. */
export function stopped(signal: AbortSignal): Promise<{ ok: false; error: Failure }> {
  return new Promise((resolve) => {
    const give = () => resolve({ ok: false, error: STOPPED });
    if (signal.aborted) give();
    else signal.addEventListener("abort", give, { once: true });
  });
}

/** The failure of an action that is not possible while a turn runs. */
export const BUSY: Failure = {
  kind: "busy",
  message: "A turn is running.",
  fix: "Wait for its end, or stop it with :CodexChat stop.",
};

/** The failure of a turn whose queries were all deleted while they waited. */
export const DROPPED: Failure = { kind: "dropped", message: "The query was deleted." };

/** The failure of a query that Codex has not taken in several turns. */
export const NOT_TAKEN: Failure = {
  kind: "not_taken",
  message: "Codex did not take the message.",
  fix: "Press <CR> to send it again.",
};

/** How long Codex may take to end an interrupted turn before everything is restarted. */
export const INTERRUPT_MS = 10_000;

/** The failure of a turn that Codex did not end in time. */
export const NOT_INTERRUPTED: Failure = {
  kind: "interrupt",
  message: `Codex did not stop within ${INTERRUPT_MS / 1000} s, so it was ended.`,
  fix: "Send again: that restarts everything.",
};

/** The failure of loading a part of the host that is loaded when it is first needed. */
export function partGone(cause: unknown): Failure {
  return {
    ...failureOf("host_changed", "A part of the plugin's host could not be loaded", cause),
    fix: "If the plugin was updated since Neovim was started, start Neovim again.",
  };
}

/** The fix if Codex's own files prevent it from starting. */
export function damagedHome(codexHome: string): string {
  return (
    `Codex's own files may be damaged. End the sandbox with :CodexChat sandbox stop, move ${codexHome} ` +
    "to another place, then :CodexChat retry. Each conversation then continues in a new thread, which " +
    "gets its text."
  );
}

/** The event that shows a failure in the document. */
export function failed({ message, fix }: Failure): Extract<ChatEvent, { type: "turn_failed" }> {
  return { type: "turn_failed", message, ...(fix === undefined ? {} : { fix }) };
}

/** A failure as one line, for logs and command-line output. */
export function failureLine(failure: Failure): string {
  return failure.fix === undefined ? failure.message : `${failure.message} ${failure.fix}`;
}

/** Turns an exception from a library into a failure that keeps only its message. */
export function failureOf(kind: string, what: string, thrown: unknown): Failure {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const fix = thrown instanceof Error && "fix" in thrown ? String(thrown.fix) : undefined;
  return { kind, message: `${what}: ${reason}`, fix };
}
