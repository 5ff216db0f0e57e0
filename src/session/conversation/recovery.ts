import { unansweredQuery } from "../../chat/format/index.ts";
import { LEFT_ID, type Query } from "../query.ts";
import { hasAnswers, hasLastQuery, type LoadedThread } from "../thread/index.ts";
import type { DocumentPort, ThreadPort } from "./ports.ts";
import type { TurnEnd } from "./turn-state.ts";
import { contextLost } from "./unsent.ts";

/** What follows a turn that failed. */
type NextStep = {
  /** What the user can do; empty if the document says enough. */
  readonly advice: string;
  /** Queries that are sent again at once, in a new thread. */
  readonly again: readonly Query[];
};

type RecoveryThread = Pick<
  ThreadPort,
  | "unusable"
  | "isReplacement"
  | "abandon"
  | "abandonAsTooLong"
  | "reuse"
  | "restore"
  | "turnCompleted"
>;
type RecoveryDocument = Pick<DocumentPort, "text" | "apply" | "note" | "asEdited">;

const RETRY = "`:CodexChat retry`";
const NEW_THREAD = "goes on in a new thread, which is given the text above";
const OTHER_MODEL = "choose another model with `:CodexChat model`";
const CONFIGURATION =
  "Check `model` and `model_url` in the configuration; after a change start Neovim again";

/**
 * Decides how to go on after a request that would fail again, from what has failed already.
 *
 * When the endpoint refuses a request, the cause may be in the thread, in the query or in the
 * configuration, and no endpoint says in which. A new thread that is given the text excludes the
 * first, so that is tried once each time that the user asks for something; if it is refused as well,
 * the old thread was not at fault. A thread that is too long is compacted first, which Codex does
 * before the next turn.
 */
export class Recovery {
  readonly #thread: RecoveryThread;
  readonly #document: RecoveryDocument;
  #isAnswering = false;
  /** Queries that Codex has in its thread and that have no answer. */
  #unanswered: Query[] = [];
  #hasMoved = false;
  /** How many turns in a row were too long. */
  #tooLong = 0;

  constructor(thread: RecoveryThread, document: RecoveryDocument) {
    this.#thread = thread;
    this.#document = document;
  }

  /**
   * What a retry sends: the queries that are held, or none if Codex has them without an answer, or the
   * query that the end of the text shows to be unanswered since an earlier run; undefined if there is
   * nothing to send. `sections` is the number of sections that it takes up at the end of the text.
   */
  retry(
    held: readonly Query[],
  ): { readonly queries: readonly Query[]; readonly sections: number } | undefined {
    const known = this.#unanswered.filter((query) => held.every(({ id }) => id !== query.id));
    if (held.length + known.length > 0) {
      const queries = this.#thread.unusable === undefined ? held : [...known, ...held];
      return { queries, sections: queries.length || known.length };
    }
    const left = unansweredQuery(this.#document.text());
    if (left === undefined) return undefined;
    const { text, hadContext, sections } = left;
    return { queries: [{ id: LEFT_ID, text, hadContext }], sections };
  }

  /** The user has asked for something. */
  renew(): void {
    this.#hasMoved = false;
  }

  /** Codex has put these into its thread. */
  accepted(queries: readonly Query[]): void {
    const known = new Set(this.#unanswered.map(({ id }) => id));
    this.#unanswered.push(...queries.filter(({ id }) => !known.has(id)));
  }

  /** All queries are answered, or gone. */
  forget(): void {
    this.#unanswered = [];
    this.#tooLong = 0;
    this.#thread.reuse();
  }

  /** A turn begins. */
  begin(isAnswering: boolean): void {
    this.#isAnswering = isAnswering;
    this.#document.note(isAnswering ? "answer" : "other");
  }

  /** Whether the turn is to answer queries. */
  get isAnswering(): boolean {
    return this.#isAnswering;
  }

  /**
   * The queries as they stand in the text now; undefined if the user has deleted them all. None if the
   * thread has them already.
   */
  async inputs(
    loaded: LoadedThread,
    queries: readonly Query[],
  ): Promise<readonly Query[] | undefined> {
    const isReplaced = loaded.isReplaced === true;
    const [first] = queries;
    if (first === undefined) return isReplaced ? this.#unanswered : [];
    if (first.id === LEFT_ID && !isReplaced) {
      if (await hasLastQuery(loaded, this.#document.text())) {
        this.accepted(queries);
        return [];
      }
    }
    if (first.hadContext === true) this.#document.apply(contextLost);
    const current = this.#document.asEdited(queries);
    return current.length === 0 ? undefined : current;
  }

  /** Takes the end of a turn; gives the end as the user sees it, and what is sent again. */
  after(end: TurnEnd): { readonly end: TurnEnd; readonly again: readonly Query[] } {
    if (end.status === "completed") {
      this.#tooLong = 0;
      if (this.#isAnswering) this.#unanswered = [];
      this.#thread.turnCompleted();
    }
    const { failure } = end;
    if (failure?.repeats === undefined) return { end, again: [] };
    const hasHistory = hasAnswers(this.#document.text());
    const { advice, again } =
      failure.repeats === "context"
        ? this.#tooLongFor(hasHistory)
        : this.#refused(failure.message, hasHistory);
    if (advice !== "") this.#document.apply({ type: "note", text: advice });
    return { end: { ...end, failure: { ...failure, fix: advice } }, again };
  }

  #refused(what: string, hasHistory: boolean): NextStep {
    const thread = this.#thread;
    if (thread.isReplacement) {
      thread.restore();
      return wait(
        `The endpoint refuses this in a new thread as well, so the message itself or the configuration is at fault. ${CONFIGURATION}. Or change the message, or ${OTHER_MODEL}. ${RETRY} sends it again.`,
      );
    }
    if (!hasHistory)
      return wait(
        `The endpoint refuses this request. ${CONFIGURATION}. Or change the message, or ${OTHER_MODEL}. ${RETRY} sends it again.`,
      );
    thread.abandon(what);
    const again = this.#hasMoved ? [] : this.#unanswered;
    this.#hasMoved = true;
    if (again.length > 0) return { advice: "", again };
    return wait(
      `The endpoint refuses what this conversation's thread holds. Your next message, or ${RETRY}, ${NEW_THREAD}.`,
    );
  }

  #tooLongFor(hasHistory: boolean): NextStep {
    const thread = this.#thread;
    this.#tooLong += 1;
    if (thread.isReplacement) {
      thread.abandonAsTooLong();
      return wait(
        `A new thread is too long for the model as well. ${RETRY} tries it with half as much of the text. Or put the cursor on an earlier answer and use \`:CodexChat fork\`, or ${OTHER_MODEL}.`,
      );
    }
    if (!hasHistory)
      return wait(
        `This message alone is too long for the model. Shorten it and send it again, or ${OTHER_MODEL} and use ${RETRY}.`,
      );
    if (this.#tooLong === 1)
      return wait(
        `The conversation no longer fits the model's context window. ${RETRY} has Codex compact it first and then sends this again.`,
      );
    thread.abandonAsTooLong();
    return wait(
      `Compacting the conversation did not help. ${RETRY} ${NEW_THREAD} as far as it fits. Or put the cursor on an earlier answer and use \`:CodexChat fork\`, or ${OTHER_MODEL}.`,
    );
  }
}

function wait(advice: string): NextStep {
  return { advice, again: [] };
}
