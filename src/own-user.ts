import { userInfo } from "node:os";

/** The user of this process. */
export type OwnUser = {
  readonly uid: number;
  readonly gid: number;
  /** For messages: the account's name, or "uid" and the number. */
  readonly name: string;
  /** Whether the machine has an account for the uid. */
  readonly hasAccount: boolean;
};

/**
 * The user of this process. A uid without an account, as in containers and on clusters, is a user
 * like any other; `os.userInfo()` throws ENOENT for it.
 */
export function ownUser(): OwnUser {
  const [uid, gid, account] = [ownUid(), ownGid(), ownAccount()];
  const name = account?.username ?? `uid ${uid}`;
  return { uid, gid, name, hasAccount: account !== undefined };
}

/** The effective uid, which owns the files that this process makes. Throws if the system has none. */
export function ownUid(): number {
  return known(process.geteuid?.());
}

/** The effective gid. Throws if the system has none. */
function ownGid(): number {
  return known(process.getegid?.());
}

/**
 * The home directories of this user: `$HOME`, and the account's if that is another one. Empty for a
 * uid without an account and without `$HOME`, for which `os.homedir()` throws.
 *
 * SECURITY: both must be kept from the agent, since `$HOME` may be set to another directory.
 */
export function ownHomes(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const all = [env["HOME"], ownAccount()?.homedir].filter((home) => home?.startsWith("/") === true);
  return [...new Set(all as string[])];
}

function ownAccount(): { readonly username: string; readonly homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    // There is none, or its directory service does not answer.
    return undefined;
  }
}

/** SECURITY: an unknown uid must not count as root's. */
function known(id: number | undefined): number {
  if (id === undefined) throw new Error("this platform has no user ids; Linux was expected");
  return id;
}
