import { type FSWatcher, watch } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { statsAt } from "../../look.ts";

/** A mounted file or directory of the project and the identity it had when it was mounted. */
export type GuardedFile = {
  /** Relative to the project's top directory, which is ".". */
  readonly name: string;
  readonly identity: string;
  /** Mounted writable, so that it cannot be renamed together with what is protected in it. */
  readonly isParentDir?: true | undefined;
  /** Something else is mounted in its place; it is not itself mounted read-only. */
  readonly replaced?: true | undefined;
};

/** A running watch; `lost` resolves with the first name that was replaced, and never rejects. */
export type MountGuard = {
  readonly lost: Promise<string>;
  readonly close: () => void;
};

/**
 * Watches for protected files that are replaced on the host. A mount belongs to the file that was
 * there at the start: when an editor saves by renaming, or git checks out another branch, the new
 * file appears inside through the writable mount around it (seen with runsc 20240729; Linux detaches
 * such mounts too). The path is then no longer read-only, and nothing says so.
 *
 * Node reports a change of a directory's attributes like its renaming. So if the same directory is
 * still in place, `isMounted` asks whether its mount is too: gVisor drops a mount when the path is
 * looked up while the directory is away, and does not restore it.
 *
 * Rejects if the directory cannot be watched: without the watch there is no protection.
 */
export async function watchGuarded(
  root: string,
  files: readonly GuardedFile[],
  isMounted: (names: readonly string[]) => Promise<boolean>,
): Promise<MountGuard> {
  const watching = new Watching(root, files, isMounted);
  try {
    await watching.begin();
  } catch (cause) {
    watching.close();
    throw cause;
  }
  return watching;
}

/** The delay between an event and the check of all files, and between two questions about mounts. */
const PAUSE_MS = 500;

class Watching implements MountGuard {
  readonly lost: Promise<string>;
  readonly #root: string;
  readonly #known: ReadonlyMap<string, string>;
  readonly #isMounted: (names: readonly string[]) => Promise<boolean>;
  readonly #directories = new Set<string>();
  readonly #watchers: FSWatcher[] = [];
  /** Directories with an event that may have been about their attributes only. */
  readonly #suspects = new Set<string>();
  #isAsking = false;
  #isClosed = false;
  #look: NodeJS.Timeout | undefined;
  #settle: (name: string) => void = () => {};

  constructor(
    root: string,
    files: readonly GuardedFile[],
    isMounted: (names: readonly string[]) => Promise<boolean>,
  ) {
    this.#root = root;
    this.#known = new Map(files.map((file) => [file.name, file.identity]));
    this.#isMounted = isMounted;
    this.lost = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async begin(): Promise<void> {
    for (const name of this.#known.keys()) {
      const stats = await statsAt(join(this.#root, name));
      if (stats?.isDirectory() === true) this.#directories.add(name);
    }
    for (const dir of new Set([".", ...[...this.#known.keys()].map((name) => dirname(name))])) {
      const watcher = watch(join(this.#root, dir), { persistent: false }, (event, name) =>
        this.#onEvent(event, name === null ? undefined : join(dir, name)),
      );
      watcher.on("error", () => this.#settle(dir));
      this.#watchers.push(watcher);
    }
    // Finds what changed before the watch began; the watch finds what changes later.
    await this.#check();
  }

  close = (): void => {
    this.#isClosed = true;
    clearTimeout(this.#look);
    for (const watcher of this.#watchers) watcher.close();
  };

  /** A rename event means that a name came or went, or that a directory's attributes changed. */
  #onEvent(event: string, name: string | undefined): void {
    // SECURITY: a burst of events overflows the kernel's queue, and Node does not report that.
    this.#look ??= setTimeout(() => {
      this.#look = undefined;
      void this.#check();
    }, PAUSE_MS).unref();
    if (event !== "rename" || name === undefined || !this.#known.has(name)) return;
    if (this.#directories.has(name)) {
      this.#suspects.add(name);
      void this.#check([name]).then(() => this.#ask());
    } else this.#settle(name);
  }

  async #check(names: Iterable<string> = this.#known.keys()): Promise<void> {
    for (const name of names) {
      // A file that cannot be accessed counts as replaced; the next start says why it cannot.
      const identity = await fileIdentity(join(this.#root, name)).catch(() => undefined);
      if (identity !== this.#known.get(name)) this.#settle(name);
    }
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#suspects.size > 0 && !this.#isClosed) {
      const names = [...this.#suspects];
      this.#suspects.clear();
      const held = await this.#isMounted(names).catch(() => false);
      if (!held && !this.#isClosed) this.#settle(names[0] ?? ".");
      // SECURITY: the agent can change attributes any number of times, and each question costs the engine.
      await pause(PAUSE_MS, undefined, { ref: false });
    }
    this.#isAsking = false;
  }
}

/** A directory that is mounted writable, as it is now. Rejects with `LookError`. */
export async function guardedParent(root: string, name: string): Promise<GuardedFile> {
  return { name, isParentDir: true, identity: (await fileIdentity(join(root, name))) ?? "" };
}

/**
 * The identity of a file: device, inode and time of birth, because inode numbers are soon reused.
 * Undefined if nothing is there.
 *
 * Rejects with `LookError`.
 */
export async function fileIdentity(path: string): Promise<string | undefined> {
  const stats = await statsAt(path);
  if (stats === undefined) return undefined;
  const { dev, ino, birthtimeNs } = stats;
  return `${dev}:${ino}:${birthtimeNs}`;
}
