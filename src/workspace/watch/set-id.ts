import { execa } from "execa";
import { program, searchPath } from "../../programs.ts";

/** The longest list of paths. */
const MAX_BYTES = 1024 ** 2;

/**
 * Finds set-uid and set-gid programs below a directory, as relative paths with one character for each
 * byte. Undefined if they could not be found within `ms`.
 *
 * By find(1), because a directory's list has no modes, and Node takes ten times as long to ask for
 * each file's. SECURITY: files can change meanwhile, so callers check each path again.
 */
export async function findSetId(root: string, ms: number): Promise<readonly string[] | undefined> {
  const args = [".", "-xdev", "-type", "f", "-perm", "/6000", "-print0"];
  const found = await execa(program("find"), args, {
    cwd: root,
    env: { PATH: searchPath() },
    encoding: "buffer",
    stdin: "ignore",
    stripFinalNewline: false,
    timeout: ms,
    maxBuffer: MAX_BYTES,
    reject: false,
  });
  // find(1) also ends with 1 if a directory is unreadable or was just removed.
  if (found.exitCode !== 0 && found.exitCode !== 1) return undefined;
  const names = Buffer.from(found.stdout).toString("latin1").split("\0");
  return names.filter((name) => name !== "").map((name) => name.replace(/^\.\//, ""));
}
