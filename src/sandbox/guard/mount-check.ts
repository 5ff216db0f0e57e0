import type Docker from "dockerode";
import { startProcess } from "../engine/index.ts";

/** Whether paths are mount points in a container; "unknown" where it could not be asked. */
type Mounted = "mounted" | "lost" | "unknown";

const TIMEOUT_MS = 20_000;
const LOST = 3;

/** A uid that nothing in a sandbox runs as, and another for a user who has that one. */
const STRANGERS = [65534, 65533] as const;

/** Reads with what the shell has in itself: no program is looked up, no file but this one read. */
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
 * SECURITY: what runs inside can write to any program's output (gVisor lets it open another's
 * descriptors), and do what it likes with programs of its own user. So this one has a user of its
 * own, whom the others can neither trace nor stop, and answers by its exit code alone.
 */
export async function areMounted(
  container: Docker.Container,
  paths: readonly string[],
  uid: number,
): Promise<Mounted> {
  const stranger = uid === STRANGERS[0] ? STRANGERS[1] : STRANGERS[0];
  const started = await startProcess(container, {
    argv: ["/bin/sh", "-c", LOOK, "sh", ...paths.flatMap(asListed)],
    cwd: "/",
    user: `${stranger}:${stranger}`,
    // The user's own variables may lead the loader into the project.
    env: { LD_PRELOAD: "", LD_LIBRARY_PATH: "", LD_AUDIT: "" },
  }).catch(() => undefined);
  if (started?.ok !== true) return "unknown";
  const process = started.value;
  process.stdin.end();
  process.stdout.resume();
  process.stderr.resume();
  const late = setTimeout(process.kill, TIMEOUT_MS);
  const { exitCode } = await process.exited.finally(() => clearTimeout(late));
  if (exitCode === 0) return "mounted";
  return exitCode === LOST ? "lost" : "unknown";
}

/** Attempts at asking before the answer is that nobody knows. */
const ATTEMPTS = 3;

/**
 * Whether all of these are mount points for certain. On a machine that is busy to its limit one
 * attempt may fail by chance; where all of them fail, the answer is no.
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

/** As /proc/self/mountinfo has it, of which Linux writes `#` in another way than gVisor. */
function asListed(path: string): readonly [string, string] {
  const octal = (char: string) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`;
  return [path.replace(/[ \t\n\\]/g, octal), path.replace(/[ \t\n\\#]/g, octal)];
}
