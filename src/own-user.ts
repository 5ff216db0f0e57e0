import { userInfo } from "node:os";

/** The user that this process runs as. */
export type OwnUser = {
  readonly uid: number;
  readonly gid: number;
  /** For messages only: from the account, else the uid in words. */
  readonly name: string;
  /** Whether the machine has an account for the uid. */
  readonly hasAccount: boolean;
};

/**
 * Names the user of this process. A uid without an account, as containers and clusters give out, is
 * a user like any other: `os.userInfo()` throws ENOENT for it.
 */
export function ownUser(): OwnUser {
  const [uid, gid, account] = [ownUid(), ownGid(), ownAccount()];
  const name = account?.username ?? `uid ${uid}`;
  return { uid, gid, name, hasAccount: account !== undefined };
}

/** The effective uid, which owns what this process makes. Throws where users have no number. */
export function ownUid(): number {
  return known(process.geteuid?.());
}

/** The effective gid. Throws where groups have no number. */
function ownGid(): number {
  return known(process.getegid?.());
}

/**
 * The home directories of this user: `$HOME`, and that of the account where it is another one.
 *
 * SECURITY: both count where a home is kept from the agent, since `$HOME` may lead elsewhere.
 * Empty for a uid without an account and without `$HOME`, of which `os.homedir()` throws.
 */
export function ownHomes(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const all = [env["HOME"], ownAccount()?.homedir].filter((it) => it?.startsWith("/") === true);
  return [...new Set(all as string[])];
}

function ownAccount(): { readonly username: string; readonly homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    // There is none, or it could not be asked for, as of a directory service that is away.
    return undefined;
  }
}

/** SECURITY: a uid that is not known must not pass for root's. */
function known(id: number | undefined): number {
  if (id === undefined) throw new Error("this platform has no user ids; Linux was expected");
  return id;
}
