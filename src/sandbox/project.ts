import { isUtf8 } from "node:buffer";
import type { Stats } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { err, ok, type Result } from "../result.ts";
import type { SandboxError } from "./error.ts";
import { obeyedByGit } from "./git-obeys.ts";
import { gitPointerMounts } from "./git-pointer.ts";
import { fileIdentity, type GuardedFile } from "./guard.ts";

/**
 * What the host runs or obeys by itself when it stands in a project's top directory: git's own
 * directory, editors' and shells' start-up files, hooks, and other agents' configuration.
 * Mounted read-only where it exists, so that the agent cannot make the host run something.
 */
export const PROTECTED_NAMES: readonly string[] = [
  ".git",
  ".nvim.lua",
  ".nvimrc",
  ".exrc",
  ".envrc",
  ".husky",
  ".vscode",
  ".idea",
  ".codex",
  ".agents",
  ".mcp.json",
  ".pre-commit-config.yaml",
  ".devcontainer",
];

/** Directories of the container's own system, and those that hold more than a project. */
export const SYSTEM_DIRS: ReadonlySet<string> = new Set(
  "/bin /boot /dev /etc /home /lib /lib32 /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/local /var /var/tmp /home/agent".split(
    " ",
  ),
);

/** Nothing in or under these may be mounted over: kernel files and the sandbox's own programs. */
const CLOSED_TREES = ["/dev", "/proc", "/sys", "/opt/codex", "/opt/codex-chat", "/run/codex-chat"];

/** The engine is told paths in JSON, which holds no bytes that are not text. */
const NOT_UTF8 =
  "its path has bytes that are not UTF-8, which cannot be told to a container engine; rename that directory (mv), or reach it by a name that is: a bind mount, not a link";

/** A bind mount; `source` and `target` are absolute and differ only where a link was resolved. */
export type BindMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
};

/** A project as it will be mounted. */
export type Project = {
  /** Resolved absolute path; the same inside and outside. */
  readonly root: string;
  readonly mounts: readonly BindMount[];
  /** The protected files that exist and are read-only inside, and what frames them, as they are now. */
  readonly guarded: readonly GuardedFile[];
  /** Sentences for the user about what could not be protected or mounted. */
  readonly notes: readonly string[];
};

/** What is needed to judge a project; paths are absolute. */
export type ProjectOptions = {
  readonly root: string;
  readonly home: string | undefined;
  /** Directories that hold what the agent must not reach: state, the engine's socket. */
  readonly outOfReach: readonly string[];
  /** Why the engine cannot mount this path, if it cannot. */
  readonly unmountable?: (path: string) => string | undefined;
  readonly protectedNames?: readonly string[];
  /** What is mounted instead of the real git directory, which then is out of reach. */
  readonly gitMounts?: readonly BindMount[];
};

/**
 * Judges a project's directory and lists what is mounted of it.
 *
 * Errors: `project_refused`.
 */
export async function inspectProject(
  options: ProjectOptions,
): Promise<Result<Project, SandboxError>> {
  const given = options.root;
  if (!isAbsolute(given)) return err(refused(given, "it is not an absolute path"));
  let root: string;
  try {
    const bytes = await realpath(given, { encoding: "buffer" });
    if (!isUtf8(bytes)) return err(refused(bytes.toString("utf8"), NOT_UTF8));
    root = bytes.toString("utf8");
  } catch (cause) {
    // What is no UTF-8 has come here with the replacement character in the place of its bytes.
    const reason = given.includes("\uFFFD")
      ? NOT_UTF8
      : `it cannot be read (${(cause as Error).message})`;
    return err(refused(given, reason));
  }
  const unmountable = options.unmountable?.(root);
  if (unmountable !== undefined) return err(refused(root, unmountable));
  const stats = await kindOf(root);
  if (stats === undefined || !stats.isDirectory()) {
    return err(refused(root, "it is not a directory"));
  }
  const reason = await refusal(root, options);
  if (reason !== undefined) return err(refused(root, reason));

  const mounts: BindMount[] = [{ source: root, target: root, readOnly: false }];
  const guarded: GuardedFile[] = [];
  const notes: string[] = [];
  for (const name of options.protectedNames ?? PROTECTED_NAMES) {
    const path = join(root, name);
    const found = await kindOf(path);
    if (found === undefined) continue;
    if (found.isSymbolicLink()) {
      // A mount would land on the link's target and leave the link itself replaceable.
      if (name === ".git") {
        return err(
          refused(root, "its .git is a symbolic link, which the agent could replace by its own"),
        );
      }
      notes.push(
        `${name} is a symbolic link: it cannot be made read-only and the agent can replace it.`,
      );
      continue;
    }
    if (!found.isFile() && !found.isDirectory()) {
      notes.push(`${name} is neither a file nor a directory and is not protected.`);
      continue;
    }
    const identity = (await fileIdentity(path)) ?? "";
    if (name === ".git" && options.gitMounts !== undefined) {
      // A pointer file stays what it is; what it names is replaced.
      if (found.isFile()) mounts.push({ source: path, target: path, readOnly: true });
      mounts.push(...options.gitMounts);
      guarded.push({ name, identity, replaced: true });
      continue;
    }
    mounts.push({ source: path, target: path, readOnly: true });
    guarded.push({ name, identity });
    if (name === ".git" && found.isFile()) {
      const pointer = await gitPointerMounts(root);
      mounts.push(...pointer.mounts);
      notes.push(...pointer.notes);
    }
  }
  const obeyed = await obeyedByGit(root);
  if (!obeyed.ok)
    return err(refused(root, `it cannot be told what git runs here: ${obeyed.error}`));
  const own = new Set(guarded.map((it) => it.name));
  const further = [
    ...obeyed.value.frames.map((name) => ({ name, frame: true as const })),
    ...obeyed.value.names.map((name) => ({ name })),
  ].filter(({ name }) => !own.has(name.split(sep)[0] ?? ""));
  for (const it of further) {
    const path = join(root, it.name);
    mounts.push({ source: path, target: path, readOnly: !("frame" in it) });
    guarded.push({ ...it, identity: (await fileIdentity(path)) ?? "" });
  }
  return ok({ root, mounts, guarded, notes: [...notes, ...obeyed.value.notes] });
}

async function refusal(root: string, options: ProjectOptions): Promise<string | undefined> {
  if (root === "/") return "it is the whole file system";
  if (options.home !== undefined) {
    const home = await resolved(options.home);
    if (root === home) return "it is the home directory, with every secret in it";
    if (contains(root, home)) return "it contains the home directory, with every secret in it";
  }
  if (SYSTEM_DIRS.has(root)) return "it is a directory of the system";
  const closed = closedTreeOf(root);
  if (closed !== undefined) return `${closed} belongs to the sandbox's own system`;
  for (const path of options.outOfReach) {
    const secret = await resolved(path);
    if (root === secret || contains(root, secret)) {
      return `it contains ${secret}, which the agent must not reach`;
    }
    if (contains(secret, root)) return `it lies within ${secret}, which the agent must not reach`;
  }
  return undefined;
}

/** The tree of the sandbox's own system that a path lies in, if any. */
export function closedTreeOf(path: string): string | undefined {
  return CLOSED_TREES.find((tree) => path === tree || contains(tree, path));
}

function refused(root: string, reason: string): SandboxError {
  return {
    kind: "project_refused",
    message: `${root} is not given to the agent: ${reason}.`,
    mend: "Open Neovim in the directory of one project: its git top level, or one made for it (mkdir ~/work; cd ~/work; nvim).",
    root,
  };
}

/** Whether `inner` lies strictly within `outer`; both are resolved paths. */
export function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}

/** Resolves links in as much of the path as exists. */
export async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await resolved(parent), path.slice(parent.length));
  }
}

async function kindOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch {
    return undefined;
  }
}
