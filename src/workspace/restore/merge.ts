import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../error-code.ts";
import { oidOf, type ShadowRepository } from "../checkpoints/index.ts";

/** Git takes a file for binary if a NUL is in its first bytes. */
const TEXT_BYTES = 8000;
/** All merges of one plan; lines can be such that comparing them takes any time. */
const MERGES_MS = 20_000;
const MERGE_MS = 5000;

/** Merges files line by line, as git does. */
export class Merger {
  readonly #shadow: ShadowRepository;
  readonly #contents = new Map<string, Buffer>();
  readonly #untilMs = performance.now() + MERGES_MS;
  /** Contents that no checkpoint has, by their names. */
  readonly made = new Map<string, Buffer>();

  constructor(shadow: ShadowRepository) {
    this.#shadow = shadow;
  }

  /** Reads what will be merged, by one git for all files; without it each merge reads its own. */
  async load(oids: readonly string[]): Promise<void> {
    const read = await this.#shadow.read(oids.filter((oid) => !this.#contents.has(oid)));
    if (read.ok) for (const [oid, content] of read.value) this.#contents.set(oid, content);
  }

  /** A content with both changes; or why there is none. */
  async merge(
    base: string,
    mine: string,
    theirs: string,
  ): Promise<{ readonly oid: string } | "changed" | "not_text"> {
    await this.load([base, mine, theirs]);
    const contents = [base, mine, theirs].map((oid) => this.#contents.get(oid));
    const [one, own, other] = contents;
    if (one === undefined || own === undefined || other === undefined) return "changed";
    if (![one, own, other].every(isText)) return "not_text";
    if (performance.now() > this.#untilMs) return "changed";
    const merged = await this.#mergeText({ mine: own, base: one, theirs: other }).catch(notDone);
    if (merged === undefined) return "changed";
    const oid = oidOf(merged);
    this.#contents.set(oid, merged);
    this.made.set(oid, merged);
    return { oid };
  }

  /**
   * Brings the change from `base` to `theirs` into `mine`, byte for byte apart from the lines that
   * change. Undefined where both sides change the same lines, or git cannot do it in time.
   */
  async #mergeText(versions: {
    readonly mine: Buffer;
    readonly base: Buffer;
    readonly theirs: Buffer;
  }): Promise<Buffer | undefined> {
    const dir = await mkdtemp(join(this.#shadow.dir, "merge-"));
    try {
      const names = Object.entries(versions);
      for (const [name, content] of names)
        await writeFile(join(dir, name), content, { mode: 0o600 });
      const merged = await this.#shadow.run({
        args: ["merge-file", "-p", "-q", ...names.map(([name]) => join(dir, name))],
        maxBytes: 2 * (versions.mine.length + versions.theirs.length) + 1024,
        timeoutMs: MERGE_MS,
      });
      return merged.ok ? merged.value : undefined;
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
}

/** Such as with a full disk. */
function notDone(cause: unknown): undefined {
  if (codeOf(cause) === "unknown") throw cause;
}

/** Whether a content is text, as git sees it. */
function isText(content: Buffer): boolean {
  return !content.subarray(0, TEXT_BYTES).includes(0);
}
