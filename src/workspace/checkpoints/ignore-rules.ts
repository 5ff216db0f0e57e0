import type { GitError } from "../../git.ts";
import { ok, type Result } from "../../result.ts";
import { bytesOf, joined } from "../byte-path.ts";
import type { ShadowRepository } from "./shadow-repository.ts";

/** Git's exit code where none of the paths is ignored. */
const NONE = 1;
const MAX_BYTES = 256 * 1024 ** 2;

/**
 * Which of these paths the project's `.gitignore` files, and the shadow repository's own list of
 * excludes, hide.
 *
 * SECURITY: this is the only git that looks into the project. `check-ignore` without an index reads
 * `.gitignore` files there and nothing else; the configuration is the shadow repository's. It is a
 * process of its own because a pattern can make matching take any time.
 */
export async function ignoredPaths(
  shadow: ShadowRepository,
  root: string,
  paths: readonly string[],
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Result<ReadonlySet<string>, GitError>> {
  if (paths.length === 0) return ok(new Set());
  const input = bytesOf(paths.map((path) => `${joined(root, path)}\0`).join(""));
  const answer = await shadow.run({
    args: [
      `--work-tree=${Buffer.from(root, "latin1").toString("utf8")}`,
      ...["check-ignore", "--stdin", "-z", "--no-index"],
    ],
    input: (async function* () {
      yield input;
    })(),
    maxBytes: MAX_BYTES,
    timeoutMs,
    signal,
  });
  if (!answer.ok) return answer.error.exitCode === NONE ? ok(new Set()) : answer;
  const ignored = answer.value.toString("latin1").split("\0");
  return ok(new Set(ignored.map((path) => path.slice(root.length + 1))));
}
