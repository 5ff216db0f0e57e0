import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { closedAbove } from "./closed.ts";

/** What the user sees of the machine. */
export type View = {
  readonly uid: number;
  readonly groups: readonly number[];
  /** The user's directory, made by the keeper. */
  readonly dir: string;
  readonly checkout: string;
  /** Paths outside of the checkout that the user must reach. */
  readonly needed: readonly string[];
};

/**
 * The arguments of `unshare` that start a program as the user, in a mount namespace of its own:
 * nothing is mounted for anybody else, and nothing is left when its last process has ended.
 *
 * In it the user's copy of the checkout lies at the checkout's own path, because the cached Neovims
 * hold the path where they lie. A directory above it that is closed to the user (such as root's home)
 * is hidden by an empty one, which has only the paths that are needed.
 */
export async function namespaceCommand(view: View): Promise<string[]> {
  const { uid, groups, dir, checkout } = view;
  // Others must be able to enter these directories, whatever the caller's umask, which is restored.
  const steps = ["umask=$(umask)", "umask 022"];
  const closed = new Set<string>();
  const kept: { readonly path: string; readonly at: string; readonly isDir: boolean }[] = [];
  for (const path of [...new Set(view.needed)]) {
    const above = await closedAbove(path, groups);
    if (above === undefined || path.startsWith(`${checkout}/`)) continue;
    closed.add(above);
    const isDir = (await stat(path)).isDirectory();
    kept.push({ path, at: `${dir}/kept/${kept.length}`, isDir });
  }
  const aboveCheckout = await closedAbove(checkout, groups);
  if (aboveCheckout !== undefined) closed.add(aboveCheckout);
  for (const { path, at, isDir } of kept) steps.push(...place(at, isDir), bind(path, at));
  for (const path of closed) steps.push(`mount -t tmpfs -o mode=0755 codex-chat ${quote(path)}`);
  for (const { path, at, isDir } of kept)
    steps.push(...place(path, isDir), bind(at, path), `umount -l ${quote(at)}`);
  steps.push(...place(checkout, true), bind(`${dir}/checkout`, checkout));
  for (const name of ["passwd", "group"]) steps.push(bind(`${dir}/etc/${name}`, `/etc/${name}`));
  steps.push(`cd ${quote(checkout)}`, 'umask "$umask"', 'exec "$@"');
  return [
    // Later mounts of the machine appear here, too, but not the other way round.
    ...["--mount", "--propagation", "slave", "--"],
    ...["sh", "-euc", steps.join("\n"), "sh"],
    ...["setpriv", "--reuid", String(uid), "--regid", String(uid)],
    ...(groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.join(",")]),
    ...["--inh-caps=-all", "--ambient-caps=-all"],
    // However the run dies, the kernel ends this, too.
    ...["--pdeathsig", "KILL", "--"],
  ];
}

/** Makes something to mount on. */
function place(path: string, isDir: boolean): string[] {
  return isDir
    ? [`mkdir -p ${quote(path)}`]
    : [`mkdir -p ${quote(dirname(path))}`, `[ -e ${quote(path)} ] || : > ${quote(path)}`];
}

function bind(from: string, to: string): string {
  return `mount --bind ${quote(from)} ${quote(to)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
