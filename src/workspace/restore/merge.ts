import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { GitError } from "../../git.ts";
import { ok, type Result } from "../../result.ts";
import type { ShadowRepository } from "../checkpoints/index.ts";

/** Git takes a file for binary if a NUL is in its first bytes. */
const TEXT_BYTES = 8000;
/** Exit codes above it are errors; up to it, the number of conflicts. */
const MAX_CONFLICTS = 127;

/** Three contents of one file. */
export type Versions = {
  readonly base: Buffer;
  readonly mine: Buffer;
  readonly theirs: Buffer;
};

/** Whether a content is text, as git sees it. */
export function isText(content: Buffer): boolean {
  return !content.subarray(0, TEXT_BYTES).includes(0);
}

/**
 * Brings the change from `base` to `theirs` into `mine`, byte for byte apart from the lines that
 * change. Undefined where both sides change the same lines.
 */
export async function mergeText(
  shadow: ShadowRepository,
  { base, mine, theirs }: Versions,
): Promise<Result<Buffer | undefined, GitError>> {
  const dir = await mkdtemp(join(shadow.dir, "merge-"));
  try {
    const names = Object.entries({ mine, base, theirs });
    const paths = names.map(([name]) => join(dir, name));
    for (const [name, content] of names) await writeFile(join(dir, name), content);
    const merged = await shadow.run({
      args: ["merge-file", "-p", "-q", ...paths],
      maxBytes: 2 * (mine.length + theirs.length) + 1024,
    });
    if (merged.ok) return merged;
    const { exitCode } = merged.error;
    return exitCode !== undefined && exitCode <= MAX_CONFLICTS ? ok(undefined) : merged;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
