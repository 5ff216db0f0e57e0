import type { Oid } from "./refs.ts";
import type { ScratchRepository } from "./repository/index.ts";

/** The mode of an entry of a tree that is another repository's commit. */
const GITLINK = "160000";
/** SECURITY: the agent can make commits whose trees take minutes to compare. */
const TIMEOUT_MS = 10_000;

/** Gitlinks (other repositories' commits) that commits add. */
export type AddedGitlink = {
  /** Paths of the gitlinks, from the top. SECURITY: the agent chose these names. */
  readonly paths: readonly string[];
  /** Whether all of the commits were compared. */
  readonly isWhole: boolean;
};

/**
 * Finds repositories that commits add inside the project.
 *
 * SECURITY: a submodule's directory belongs to the agent until the sandbox has been started with
 * it. Once the user's index has it, `git status` goes into the git directory there and runs what its
 * configuration names, whenever the agent puts one there.
 */
export async function addedGitlinks(
  scratch: ScratchRepository,
  { tip, head, known }: { tip: Oid; head: Oid | undefined; known: readonly Oid[] },
): Promise<AddedGitlink> {
  const raw = ["--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=none"];
  const flags = [...raw, "-m", "--root", "--format=", "--ignore-missing", "--stdin"];
  const each = await scratch.run({
    timeoutMs: TIMEOUT_MS,
    args: ["log", ...flags],
    input: `${[tip, ...known.map((commit) => `^${commit}`)].join("\n")}\n`,
  });
  // An earlier transfer may have brought one that the user has not merged.
  const all = await scratch.run({
    timeoutMs: TIMEOUT_MS,
    args:
      head === undefined
        ? ["ls-tree", "-r", "-z", "--full-tree", tip]
        : ["diff-tree", "-r", ...raw, head, tip],
  });
  const texts = [each, all].map((output) => (output.ok ? output.value.toString("utf8") : ""));
  const listed = head === undefined ? treeEntries(texts[1] ?? "") : added(texts[1] ?? "");
  return {
    paths: [...new Set([...added(texts[0] ?? ""), ...listed])],
    isWhole: each.ok && all.ok,
  };
}

/** The gitlinks in pairs such as `:000000 160000 … A` and a path. */
function added(text: string): string[] {
  const words = text.split("\0");
  const found: string[] = [];
  for (let n = 0; n < words.length; n++) {
    const [, was, is] = /^\n*:(\d+) (\d+) /.exec(words[n] ?? "") ?? [];
    if (was === undefined) continue;
    const path = words[++n] ?? "";
    if (is === GITLINK && was !== GITLINK) found.push(path);
  }
  return found;
}

/** The gitlinks in lines such as `160000 commit …\tpath`. */
function treeEntries(text: string): string[] {
  return text
    .split("\0")
    .filter((line) => line.startsWith(`${GITLINK} `))
    .map((line) => line.slice(line.indexOf("\t") + 1));
}
