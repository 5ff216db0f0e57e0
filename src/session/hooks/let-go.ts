import type { ServerNotification } from "../../codex/messages/index.ts";
import { ok, type Result } from "../../result.ts";
import { type Failure, failureLine } from "../failure.ts";
import type { TurnHook } from "./turn-hook.ts";

type LetGo = Promise<Result<void, Failure>> | undefined;

/** The kinds of items that write no file. An unknown kind may. */
const WRITES_NOTHING: ReadonlySet<string> = new Set([
  "userMessage",
  "agentMessage",
  "reasoning",
  "plan",
  "webSearch",
  "imageView",
  "sleep",
  "contextCompaction",
  "enteredReviewMode",
  "exitedReviewMode",
  "hookPrompt",
]);
/** SECURITY: a program inside can make Codex report any number of items. */
const MAX_RUNNING = 1000;

/**
 * Makes gVisor close the files after each turn in which one may have been written, so that the user
 * can run it. It takes a third of a second and a Node process inside, which a turn of words is spared.
 */
export class LetGoHooks {
  /**
   * Two hooks: hooks end in reverse order, and those that stand between the two do their work
   * meanwhile.
   */
  readonly awaited: TurnHook;
  readonly begun: TurnHook;
  readonly #letGo: () => LetGo;
  /** By thread: the turns of several conversations may end at the same time. */
  readonly #going = new Map<string, LetGo>();
  /** Items that write and have not ended: a command may run on after its turn. */
  readonly #running = new Set<string>();
  #mayHaveWritten = false;

  /** `letGo` gives undefined where no sandbox runs, or one without gVisor. */
  constructor(letGo: () => LetGo) {
    this.#letGo = letGo;
    const before = async () => ok();
    this.awaited = { before, after: ({ threadId }) => this.#wait(threadId) };
    this.begun = { before, after: async ({ threadId }) => this.#begin(threadId) };
  }

  /** Notes the items that may write a file. */
  onNotification(notification: ServerNotification): void {
    const { method } = notification;
    if (method !== "item/started" && method !== "item/completed") return;
    const { item, threadId } = notification.params;
    if (WRITES_NOTHING.has(item.type)) return;
    this.#mayHaveWritten = true;
    const key = `${threadId} ${item.id}`;
    if (method === "item/completed") this.#running.delete(key);
    else if (this.#running.size < MAX_RUNNING) this.#running.add(key);
  }

  /** The sandbox has ended, and all its files are closed. */
  forget(): void {
    this.#running.clear();
    this.#mayHaveWritten = false;
  }

  #begin(threadId: string): [] {
    if (!this.#mayHaveWritten) return [];
    this.#mayHaveWritten = this.#running.size > 0;
    const done = this.#letGo();
    // The other hook awaits it; until then a rejection has no handler.
    done?.catch(() => {});
    this.#going.set(threadId, done);
    return [];
  }

  async #wait(threadId: string) {
    const done = await this.#going.get(threadId);
    this.#going.delete(threadId);
    if (done === undefined || done.ok) return [];
    return [{ type: "note", text: failureLine(done.error), once: true } as const];
  }
}
