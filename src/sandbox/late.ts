import { sep } from "node:path";
import { obeyedByGit } from "./git-obeys.ts";
import type { Project } from "./project.ts";

/**
 * Names what of the project's own files the user's git obeys now and did not when the sandbox was
 * opened: a submodule or worktree that was added, a hooks directory or an included file that was
 * named. It is writable inside. What cannot be told counts, since opening anew tells why.
 */
export async function obeyedSince({ root, guarded }: Project): Promise<readonly string[]> {
  const now = await obeyedByGit(root);
  if (!now.ok) return [`what git obeys (${now.error})`];
  // A frame can be written; only its name stays.
  const known = new Set(guarded.filter((it) => !it.frame).map((it) => it.name));
  // What lies in a protected directory of the top level is as it was.
  return now.value.names.filter((name) => !known.has(name) && !known.has(name.split(sep)[0] ?? ""));
}
