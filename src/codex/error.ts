/** What a request to Codex can meet. */
export type CodexError =
  /** The app-server answered with an error; `code` is JSON-RPC's. */
  | { readonly kind: "refused"; readonly code: number; readonly message: string }
  /** The thread is not in Codex's store: it was deleted, or belongs to another CODEX_HOME. */
  | { readonly kind: "thread_unknown"; readonly message: string }
  /** Another app-server has the thread open for writing. */
  | { readonly kind: "thread_busy"; readonly message: string }
  /** The thread is archived and must be unarchived first. */
  | { readonly kind: "thread_archived"; readonly message: string }
  /** A file of Codex's configuration, which the agent can write, keeps it from having a thread. */
  | { readonly kind: "invalid_config"; readonly message: string }
  /** The answer is not what the pinned version sends. */
  | { readonly kind: "invalid_answer"; readonly message: string }
  | { readonly kind: "timeout"; readonly message: string }
  | { readonly kind: "aborted"; readonly message: string }
  /** The connection ended before the answer came. */
  | { readonly kind: "closed"; readonly message: string };

/**
 * Tells errors apart by their text, because nearly every error of the app-server has the code -32600
 * (0.171). A thread without a turn is not on disk, and its error reads the same as that of a deleted
 * one.
 */
export function refusal(method: string, code: number, words: string): CodexError {
  const message = shortened(words);
  if (
    /^(no rollout found|thread not found|thread not loaded|invalid (?:session|thread) id)/i.test(
      message,
    )
  )
    return {
      kind: "thread_unknown",
      message: `Codex does not know this conversation: ${message}.`,
    };
  if (/already has an active writer/.test(message))
    return {
      kind: "thread_busy",
      message:
        "Another Codex has this conversation open. End it there, or start a new one with :CodexChat new.",
    };
  if (/^session \S+ is archived/.test(message))
    return { kind: "thread_archived", message: `Codex has this conversation archived: ${message}` };
  const config = /^failed to load configuration: (.*)/is.exec(message)?.[1];
  if (config !== undefined)
    return {
      kind: "invalid_config",
      message: `Codex cannot read its configuration: ${config}. Correct that file, or delete it: the plugin needs none.`,
    };
  return { kind: "refused", code, message: `Codex refused ${method}: ${message}` };
}

/** How much of a text from the sandbox a message quotes. */
const MAX_CHARS = 2000;

/**
 * Cuts a text that one of our messages quotes.
 *
 * SECURITY: it comes from inside the sandbox and may be as long as a line.
 */
export function shortened(text: string): string {
  return text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS)}…`;
}
