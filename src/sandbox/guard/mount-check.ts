import type Docker from "dockerode";
import { startProcess } from "../engine/index.ts";

/** Whether paths are mount points in a container; "unknown" if the container could not be asked. */
type Mounted = "mounted" | "lost" | "unknown";

const TIMEOUT_MS = 20_000;
const LOST = 3;

/** Uids that no program in a sandbox runs as; the second for a user who has the first. */
const CHECK_UIDS = [65534, 65533] as const;

/** Uses the shell's builtins alone: no program is looked up, and no other file is read. */
const LOOK = `while [ $# -gt 0 ]; do
  found=
  while read -r _ _ _ _ at _; do
    if [ "$at" = "$1" ] || [ "$at" = "$2" ]; then found=1; fi
  done < /proc/self/mountinfo
  [ "$found" ] || exit ${LOST}
  shift 2
done`;

/**
 * Asks the container's kernel whether all of these are mount points.
 *
 * SECURITY: a program inside can write to any program's output (gVisor lets it open another's
 * descriptors), and can trace and stop programs of its own user. So the check runs as a user of its
 * own and answers by its exit code alone.
 */
export async function areMounted(
  container: Docker.Container,
  paths: readonly string[],
  uid: number,
): Promise<Mounted> {
  const checkUid = uid === CHECK_UIDS[0] ? CHECK_UIDS[1] : CHECK_UIDS[0];
  const started = await startProcess(container, {
    argv: ["/bin/sh", "-c", LOOK, "sh", ...paths.flatMap(asListed)],
    cwd: "/",
    user: `${checkUid}:${checkUid}`,
    // The user's own variables may lead the loader into the project.
    env: { LD_PRELOAD: "", LD_LIBRARY_PATH: "", LD_AUDIT: "" },
  }).catch(() => undefined);
  if (started?.ok !== true) return "unknown";
  const process = started.value;
  process.stdin.end();
  process.stdout.resume();
  process.stderr.resume();
  const timer = setTimeout(process.kill, TIMEOUT_MS);
  const { exitCode } = await process.exited.finally(() => clearTimeout(timer));
  if (exitCode === 0) return "mounted";
  return exitCode === LOST ? "lost" : "unknown";
}

/** Attempts at checking a mount before giving up. */
const ATTEMPTS = 3;

/**
 * Whether all of these are certainly mount points. On a very busy machine one attempt may fail by
 * chance; if all of them fail, the answer is no.
 */
export async function areStillMounted(
  container: Docker.Container,
  paths: readonly string[],
  uid: number,
): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const held = await areMounted(container, paths, uid);
    if (held !== "unknown") return held === "mounted";
  }
  return false;
}

/** A path as /proc/self/mountinfo writes it: Linux escapes `#`, gVisor does not. */
function asListed(path: string): readonly [string, string] {
  const octal = (char: string) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`;
  return [path.replace(/[ \t\n\\]/g, octal), path.replace(/[ \t\n\\#]/g, octal)];
}
