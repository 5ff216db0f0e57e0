import { type FSWatcher, watch } from "node:fs";
import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A protected file or directory and the identity it had when it was mounted. */
export type GuardedFile = {
  /** Relative to the project's top directory. */
  readonly name: string;
  readonly identity: string;
  /** Mounted writable, so that it cannot be renamed together with what is protected in it. */
  readonly frame?: true | undefined;
  /** Whether something else is mounted in its place, instead of itself read-only. */
  readonly replaced?: true | undefined;
};

/** Watches until closed; `lost` resolves with the first name that was replaced, and never rejects. */
export type Guard = {
  readonly lost: Promise<string>;
  readonly close: () => void;
};

/**
 * Watches for protected files that are replaced on the host. A mount hangs on the very file that
 * stood there at the start: when an editor saves by renaming, or git checks another branch out,
 * the new file is served by the writable mount around it (seen with runsc 20240729; Linux detaches
 * such mounts too). So what was read-only inside silently no longer is.
 *
 * Rejects where the directory cannot be watched: without the watch there is no protection.
 */
export async function watchGuarded(root: string, files: readonly GuardedFile[]): Promise<Guard> {
  let settle: (name: string) => void = () => {};
  const lost = new Promise<string>((resolve) => {
    settle = resolve;
  });
  const known = new Map(files.map((file) => [file.name, file.identity]));
  const check = async (): Promise<void> => {
    for (const [name, identity] of known) {
      if ((await fileIdentity(join(root, name))) !== identity) settle(name);
    }
  };
  const watchers: FSWatcher[] = [];
  const close = () => {
    for (const watcher of watchers) watcher.close();
  };
  try {
    for (const dir of new Set([".", ...files.map((file) => dirname(file.name))])) {
      const watcher = watchDirectory(join(root, dir), (event, name) => {
        // A rename event is a name that came or went; without a name, events were lost.
        if (name === null) void check();
        else if (event === "rename" && known.has(join(dir, name))) settle(join(dir, name));
      });
      watcher.on("error", () => settle(dir));
      watchers.push(watcher);
    }
  } catch (cause) {
    close();
    throw cause;
  }
  // What changed before the watch stood is seen here, what changes later by the watch.
  await check();
  return { lost, close };
}

/**
 * Names a file so that another one put in its place differs: device, inode and time of birth,
 * because inode numbers are soon used again. Undefined where nothing is there.
 */
export async function fileIdentity(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await lstat(path, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined;
  }
}

function watchDirectory(
  path: string,
  onEvent: (event: string, name: string | null) => void,
): FSWatcher {
  return watch(path, { persistent: false }, onEvent);
}
