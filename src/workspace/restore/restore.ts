import { randomBytes } from "node:crypto";
import { realpath } from "node:fs/promises";
import { codeOf } from "../../error-code.ts";
import { err, ok, type Result } from "../../result.ts";
import { bytePath } from "../byte-path.ts";
import type {
  ChangeSet,
  Checkpoint,
  CheckpointError,
  Checkpoints,
  StoredCheckpoint,
} from "../checkpoints/index.ts";
import { type Applied, applyPlan, settleDrafts } from "./apply.ts";
import type { Conflict, Plan, Step } from "./change.ts";
import { isRunningProcess, Journal, type JournalEntry, journalled } from "./journal.ts";
import { planChanges } from "./plan.ts";

/** A change to the project's files. */
export type Restoring = {
  /** What it is, as a part of a sentence: "taking back turn 3". */
  readonly title: string;
  /** What is done one after the other, given the files as they are now. */
  readonly sets: readonly ChangeSet[];
  /** Kept with the journal, for whoever completes the change after a crash. */
  readonly note: unknown;
  /** Records that it was made; until then a crash leaves the change in the journal. */
  readonly record: (restored: Restored) => Promise<void>;
  readonly signal: AbortSignal;
};

/** A change that was made. */
export type Restored = {
  /** Its name: no other change has it. */
  readonly id: string;
  /** The project before and after it. */
  readonly before: StoredCheckpoint;
  readonly after: StoredCheckpoint;
  readonly done: readonly Step[];
  readonly conflicts: readonly Conflict[];
};

/** A change that a crash had interrupted, and that was completed. */
export type Recovered = Restored & { readonly title: string; readonly note: unknown };

/**
 * Changes the project's files from one recorded state to another, with all that was changed since kept.
 * Before the first file is touched the project is recorded, so that nothing can be lost, and the
 * change is in the journal, so that a crash leaves no half of it.
 */
export class Restorer {
  readonly #root: string;
  readonly #checkpoints: Checkpoints;
  readonly #journal: Journal;
  #count = 0;

  constructor(root: string, checkpoints: Checkpoints, dir: string) {
    this.#root = root;
    this.#checkpoints = checkpoints;
    this.#journal = new Journal(dir);
  }

  /** What `change` would do now; nothing is changed. Rejects with the signal's reason. */
  async plan(
    sets: readonly ChangeSet[],
    signal: AbortSignal,
  ): Promise<Result<{ before: Checkpoint; plan: Plan }, CheckpointError>> {
    const before = await this.#checkpoints.take({ signal });
    if (!before.ok) return before;
    const plan = await planChanges(await this.#checkpoints.shadow(), before.value, sets);
    return ok({ before: before.value, plan });
  }

  /** Makes a change. Rejects with the signal's reason, and then nothing is changed. */
  async change(restoring: Restoring): Promise<Result<Restored, CheckpointError>> {
    const { title, sets, note, record, signal } = restoring;
    const planned = await this.plan(sets, signal);
    if (!planned.ok) return planned;
    const { before, plan } = planned.value;
    const changes = new Map(plan.steps.map(({ path, to, mode }) => [path, to && { ...to, mode }]));
    const after = await this.#checkpoints.derive(
      before,
      changes,
      plan.merged.values(),
      signal,
      plan,
    );
    if (!after.ok) return failed(after.error);
    const begun = await this.#journal.begin({
      // The last word cannot be guessed: a file could have the name of a draft.
      id: `${Date.now()}-${process.pid}-${++this.#count}-${randomBytes(8).toString("hex")}`,
      ...{ title, note, after: after.value },
      before: { commit: before.commit, tree: before.tree },
      ...journalled(plan),
    });
    const applied = await this.#apply(begun.entry);
    if (!applied.ok) return applied;
    const { done } = applied.value;
    const conflicts = [...plan.conflicts, ...applied.value.conflicts];
    const restored = { id: begun.entry.id, before, after: after.value, done, conflicts };
    await record(restored);
    await this.#journal.end(begun);
    return ok(restored);
  }

  /**
   * Completes the changes that a host which died had begun. `record` may have been called for the same
   * change before the crash.
   */
  async recover(
    record: (recovered: Recovered) => Promise<void>,
  ): Promise<Result<void, CheckpointError>> {
    let failure: Result<never, CheckpointError> | undefined;
    for (const left of await this.#journal.all()) {
      if (await isRunningProcess(left.process)) continue;
      const begun = await this.#journal.claim(left);
      if (begun === undefined) continue;
      const { entry } = begun;
      const applied = await this.#apply(entry);
      // It stays in the journal, for the next host.
      if (!applied.ok) failure ??= applied;
      else {
        const { id, title, note, before, after } = entry;
        await record({ id, title, note, before, after, ...applied.value });
        await this.#journal.end(begun);
      }
    }
    return failure ?? ok();
  }

  async #apply(entry: JournalEntry): Promise<Result<Applied, CheckpointError>> {
    const shadow = await this.#checkpoints.shadow();
    const draft = `.codex-chat-${entry.id}-`;
    const steps = entry.steps.map(({ path, from, to, mode, needs }) => ({
      ...{ path, from, to, mode, needs },
    }));
    try {
      const root = bytePath(await realpath(this.#root));
      settleDrafts(steps, root, draft);
      const read = async (oids: readonly string[]) => {
        const contents = await shadow.read(oids);
        if (contents.ok) return contents.value;
        throw Object.assign(new Error(contents.error.message), { code: "EGIT" });
      };
      const plan = { ...entry, steps, dirModes: new Map(entry.dirModes) };
      return ok(await applyPlan(plan, { root, read, draft }));
    } catch (cause) {
      if (codeOf(cause) === "unknown") throw cause;
      return failed(cause as Error);
    }
  }
}

function failed({ message }: { readonly message: string }): Result<never, CheckpointError> {
  return err({ kind: "failed", message });
}
