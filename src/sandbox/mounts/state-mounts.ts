import { chown, lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writePrivate } from "../../atomic-write.ts";
import { quoteForShell } from "../../look.ts";
import { ownUid } from "../../own-user.ts";
import { err, ok, type Result } from "../../result.ts";
import { HOME_DIR } from "../container-spec.ts";
import type { SandboxError } from "../error.ts";
import { leaseDir } from "../locks/index.ts";
import type { BindMount } from "../mount.ts";
import { type OwnershipProblem, ownDirectory } from "../private-file.ts";

/** The parts of a project's state directory that its container gets. */
export type StateMounts = { readonly codexHome: string; readonly mounts: readonly BindMount[] };

/**
 * Prepares a project's state directory. Only `codex-home` in it is writable inside; its parent,
 * with leases and conversations, is not mounted. `etc/` gives the user's uid a name, without
 * which programs from whoami to node's os.userInfo fail.
 *
 * Errors: `state_unwritable`.
 */
export async function prepareState(
  stateDir: string,
  user: { readonly uid: number; readonly gid: number },
): Promise<Result<StateMounts, SandboxError>> {
  const codexHome = join(stateDir, "codex-home");
  const etc = join(stateDir, "etc");
  try {
    for (const dir of [stateDir, leaseDir(stateDir), etc]) {
      const problem = await ownDirectory(dir);
      if (problem !== null) return err(notOwn(problem));
    }
    await mkdir(codexHome, { recursive: true, mode: 0o700 });
    if (!(await lstat(codexHome)).isDirectory())
      return err(notOwn({ path: codexHome, what: "is a link" }));
    // A host that runs as root for another user gives that user the directory.
    if (process.getuid?.() === 0 && user.uid !== 0) await chown(codexHome, user.uid, user.gid);
    const name = user.uid === 0 ? "root" : "agent";
    const root = user.uid === 0 ? "" : "root:x:0:0:root:/root:/usr/sbin/nologin\n";
    const passwd = `${root}${name}:x:${user.uid}:${user.gid}::${HOME_DIR}:/bin/bash\n`;
    const group = `${user.gid === 0 ? "" : "root:x:0:\n"}${user.gid === 0 ? "root" : "agent"}:x:${user.gid}:\n`;
    // The sandbox's user reads it, who is not this user if the host runs as root for another.
    const isOther = process.getuid?.() === 0 && user.uid !== 0;
    const mode = isOther ? 0o644 : 0o600;
    await writePrivate(join(etc, "passwd"), passwd, mode);
    await writePrivate(join(etc, "group"), group, mode);
  } catch (cause) {
    return err(stateUnwritable(stateDir, cause));
  }
  const mounts: BindMount[] = [
    { source: codexHome, target: codexHome, readOnly: false },
    { source: join(etc, "passwd"), target: "/etc/passwd", readOnly: true },
    { source: join(etc, "group"), target: "/etc/group", readOnly: true },
  ];
  return ok({ codexHome, mounts });
}

/** The error for a state directory in which a write failed. */
export function stateUnwritable(stateDir: string, cause: unknown): SandboxError {
  return {
    kind: "state_unwritable",
    message: `The state directory ${stateDir} cannot be written (${(cause as Error).message}); a directory of yours was expected.`,
    fix: `ls -ld ${quoteForShell(stateDir)}\nsudo chown -R ${ownUid()} ${quoteForShell(stateDir)}\nor set HOME, or state_dir in the configuration, to a directory of yours.`,
    path: stateDir,
    cause,
  };
}

/** SECURITY: another user who can write there could forge records of containers and leases. */
function notOwn({ path, what }: OwnershipProblem): SandboxError {
  return {
    kind: "state_unwritable",
    message: `The state directory ${path} ${what}; a directory of your own was expected.`,
    fix: `ls -ld ${JSON.stringify(path)}\nMove it away, or set state_dir in the configuration to a directory of yours.`,
    path,
  };
}
