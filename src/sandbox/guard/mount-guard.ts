import { type FSWatcher, watch } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { statsAt } from "../../look.ts";

/** A protected file or directory and the identity it had when it was mounted. */
export type GuardedFile = {
  /** Relative to the project's top directory. */
  readonly name: string;
  readonly identity: string;
  /** Mounted writable, so that it cannot be renamed together with what is protected in it. */
  readonly isParentDir?: true | undefined;
  /** Whether something else is mounted in its place, instead of itself read-only. */
  readonly replaced?: true | undefined;
};

/** Watches until closed; `lost` resolves with the first name that was replaced, and never rejects. */
export type MountGuard = {
  readonly lost: Promise<string>;
  readonly close: () => void;
};

/**
 * Watches for protected files that are replaced on the host. A mount hangs on the very file that
 * stood there at the start: when an editor saves by renaming, or git checks another branch out,
 * the new file is served by the writable mount around it (seen with runsc 20240729; Linux detaches
 * such mounts too). So what was read-only inside silently no longer is.
 *
 * Of a directory, Node tells a change of its attributes as it tells its renaming. So where the same
 * one is in its place after that, `isMounted` asks whether the mount has outlived it: gVisor drops
 * one when a path is looked up while its directory is away, and does not take it up again.
 *
 * Rejects where the directory cannot be watched: without the watch there is no protection.
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

/** How soon after an event all is looked at, and how long after asking for mounts the next may come. */
const PAUSE_MS = 500;

class Watching implements MountGuard {
  readonly lost: Promise<string>;
  readonly #root: string;
  readonly #known: ReadonlyMap<string, string>;
  readonly #isMounted: (names: readonly string[]) => Promise<boolean>;
  readonly #directories = new Set<string>();
  readonly #watchers: FSWatcher[] = [];
  /** Directories of which something was told that may have been their attributes only. */
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
        this.#told(event, name === null ? undefined : join(dir, name)),
      );
      watcher.on("error", () => this.#settle(dir));
      this.#watchers.push(watcher);
    }
    // What changed before the watch stood is seen here, what changes later by the watch.
    await this.#check();
  }

  close = (): void => {
    this.#isClosed = true;
    clearTimeout(this.#look);
    for (const watcher of this.#watchers) watcher.close();
  };

  /** A rename event is a name that came or went, or a directory's attributes. */
  #told(event: string, name: string | undefined): void {
    // SECURITY: many events at once push others out of the kernel's queue, of which nobody is told.
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
      // One that cannot be looked at counts as replaced: the next start says why it cannot.
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
      // SECURITY: attributes can be changed as often as one likes, and each asking costs the engine.
      await pause(PAUSE_MS, undefined, { ref: false });
    }
    this.#isAsking = false;
  }
}

/**
 * Names a file so that another one put in its place differs: device, inode and time of birth,
 * because inode numbers are soon used again. Undefined where nothing is there.
 *
 * Rejects with `LookError`.
 */
export async function fileIdentity(path: string): Promise<string | undefined> {
  const stats = await statsAt(path);
  if (stats === undefined) return undefined;
  const { dev, ino, birthtimeNs } = stats;
  return `${dev}:${ino}:${birthtimeNs}`;
}
