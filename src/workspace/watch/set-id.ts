import { execa } from "execa";
import { program, searchPath } from "../../programs.ts";

/** More than this is not listed. */
const MAX_BYTES = 1024 ** 2;

/**
 * Finds programs that run with their owner's rights whoever starts them, below a directory, as
 * paths from it with a character for each byte. Undefined where that could not be told within `ms`.
 *
 * A mode is not in a directory's list, and to ask for that of each file takes Node ten times as long
 * as find(1). SECURITY: what is changed meanwhile is looked at again by who uses these paths.
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
  // A directory that is not to be read, or has just gone, is a failure to find, too.
  if (found.exitCode !== 0 && found.exitCode !== 1) return undefined;
  const names = Buffer.from(found.stdout).toString("latin1").split("\0");
  return names.filter((it) => it !== "").map((it) => it.replace(/^\.\//, ""));
}
