import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { program } from "../../src/programs.ts";

/** Ways in which git does not answer, each as words of a shell. */
export const GIT_FAILURES = {
  "was killed": "kill -9 $$",
  "could not be started": "exec /nonexistent/git",
  "had no file descriptors left": 'ulimit -n 3; exec "$git" "$@"',
  "ended with an unknown message": "echo 'fatal: cannot fork' >&2; exit 128",
  "ended with an unknown exit code": "exit 3",
} as const;

// Before any test has changed the PATH.
const REAL_PATH = process.env["PATH"] ?? "";
const REAL_GIT = program("git");

/**
 * Makes a directory with a git in it that fails in this way where `when`, a shell's condition, is
 * true, and is the real one otherwise. Gives a PATH that begins with it.
 */
export async function failingGit(base: string, failure: string, when = "true"): Promise<string> {
  const bin = join(base, "failing-git");
  await mkdir(bin, { recursive: true });
  await writeFile(
    join(bin, "git"),
    `#!/bin/sh\ngit=${REAL_GIT}\nif ${when}; then ${failure}; fi\nexec "$git" "$@"\n`,
  );
  await chmod(join(bin, "git"), 0o755);
  return `${bin}:${REAL_PATH}`;
}

/** The condition that git is asked with these words, one after the other. */
export function whenAsked(words: string): string {
  return `case " $* " in *" ${words} "*) true;; *) false;; esac`;
}
