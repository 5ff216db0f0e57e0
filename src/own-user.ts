import { userInfo } from "node:os";

/** The user that this process runs as. */
export type OwnUser = {
  readonly uid: number;
  readonly gid: number;
  /** For messages only: from the account, else `$USER`, else the uid. */
  readonly name: string;
};

/**
 * Names the user of this process. A uid without an account, as containers and clusters give out, is
 * a user like any other: `os.userInfo()` throws ENOENT for it.
 */
export function ownUser(): OwnUser {
  const uid = ownUid();
  return { uid, gid: ownGid(), name: accountName() ?? process.env["USER"] ?? `uid ${uid}` };
}

/** The effective uid, which owns what this process makes. Throws where users have no number. */
export function ownUid(): number {
  return known(process.geteuid?.());
}

/** The effective gid. Throws where groups have no number. */
export function ownGid(): number {
  return known(process.getegid?.());
}

/**
 * The home directory: `$HOME`, else that of the account. Undefined where there is neither, since
 * `os.homedir()` throws for a uid without an account, and where it is not an absolute path.
 */
export function ownHome(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const home = env["HOME"] || accountHome();
  return home?.startsWith("/") === true ? home : undefined;
}

function accountHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    return undefined;
  }
}

function accountName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** SECURITY: a uid that is not known must not pass for root's. */
function known(id: number | undefined): number {
  if (id === undefined) throw new Error("this platform has no user ids; Linux was expected");
  return id;
}
