import { isUtf8 } from "node:buffer";
import { realpath } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { mayBeGitDir } from "../../git-layout.ts";
import { LookError, quoteForShell, statsAt } from "../../look.ts";
import { contains, isWithin, resolved } from "../../paths.ts";
import { err, ok, type Result } from "../../result.ts";
import type { SandboxError } from "../error.ts";
import {
  findGitDirs,
  gitPointerMounts,
  gitTrustedPaths,
  linkOfPointer,
  outermost,
  parentDirsOf,
} from "../git/index.ts";
import {
  fileIdentity,
  type GuardedFile,
  type GuardRecord,
  isAgents,
  mergeGuard,
  type ProtectedPath,
} from "../guard/index.ts";
import type { BindMount } from "../mount.ts";
import { foldMounts, MAX_MOUNTS } from "./fold-mounts.ts";
import { hardLinkNotes } from "./hard-links.ts";
import { kindAt, linksOf, sourcedBy } from "./indirect-files.ts";

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
  ".direnv",
  ".hg",
  ".jj",
  ".husky",
  ".vscode",
  ".idea",
  ".codex",
  ".agents",
  ".claude",
  ".cursor",
  ".gemini",
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

/** What leads from a directory that is none of a project's own to one that is. */
const OPEN_ANOTHER =
  "Name the project's own directory: :CodexChat open ~/work. A new one is made with: mkdir -p ~/work && git init ~/work";
/** A project as it will be mounted. */
export type ProjectMounts = {
  /** Resolved absolute path; the same inside and outside. */
  readonly root: string;
  readonly mounts: readonly BindMount[];
  /** The protected files that exist and are read-only inside, and what frames them, as they are now. */
  readonly guarded: readonly GuardedFile[];
  /** Protected ones that came to be by someone's making, and not by a setting's naming them. */
  readonly appearing: readonly string[];
  /** What came up while an agent worked, and is still the same. */
  readonly agents: readonly string[];
  /** What is to be kept on record for the next start. */
  readonly record: GuardRecord;
  /** Sentences for the user about what could not be protected or mounted. */
  readonly notes: readonly string[];
  /** Installed packages, relative, whose files have names outside of the project. */
  readonly hardLinked: readonly string[];
  /** Virtual environments, relative. */
  readonly environments: readonly string[];
};

/** What is needed to judge a project; paths are absolute. */
export type ProjectMountsOptions = {
  readonly root: string;
  readonly home: string | undefined;
  /** Directories that hold what the agent must not reach: state, the engine's socket. */
  readonly outOfReach: readonly string[];
  /** Directories that the host runs programs from: the plugin's and Node's. */
  readonly neverWritable?: readonly string[];
  /** Why the engine cannot mount this path, if it cannot. */
  readonly unmountable?: (path: string) => string | undefined;
  readonly protectedNames?: readonly string[];
  /** What is mounted instead of the real git directory, which then is out of reach. */
  readonly gitMounts?: readonly BindMount[];
  /** What was protected at earlier starts; undefined at the first one. */
  readonly before?: GuardRecord | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Judges a project's directory and lists what is mounted of it.
 *
 * Errors: `project_refused`, also where something that decides what is protected cannot be looked
 * at. Rejects with `signal.reason`.
 */
export async function inspectProject(
  options: ProjectMountsOptions,
): Promise<Result<ProjectMounts, SandboxError>> {
  return seen(options.root, async () => {
    const root = await judge(options);
    return root.ok ? await inspect(root.value, options) : root;
  });
}

/** What is needed to judge a project by its directory alone. */
export type RootOptions = Pick<
  ProjectMountsOptions,
  "root" | "home" | "outOfReach" | "unmountable"
>;

/**
 * Judges a project's directory alone, which takes no time: gives its own path without links, where
 * it may be given to the agent.
 *
 * Errors: `project_refused`.
 */
export async function judgeRoot(options: RootOptions): Promise<Result<string, SandboxError>> {
  return seen(options.root, () => judge(options));
}

async function seen<T>(
  root: string,
  look: () => Promise<Result<T, SandboxError>>,
): Promise<Result<T, SandboxError>> {
  try {
    return await look();
  } catch (cause) {
    if (!(cause instanceof LookError)) throw cause;
    return err(failedLookRefusal(root, cause));
  }
}

/** The refusal where a look that decides what is protected has failed. */
export function failedLookRefusal(root: string, cause: LookError): SandboxError {
  const reason = `${cause.message}, so it is not known what there must be protected`;
  return refused(root, reason, cause.fix);
}

async function judge(options: RootOptions): Promise<Result<string, SandboxError>> {
  const given = options.root;
  if (!isAbsolute(given)) return err(refused(given, "it is not an absolute path"));
  let root: string;
  try {
    const bytes = await realpath(given, { encoding: "buffer" });
    if (!isUtf8(bytes)) return err(refused(bytes.toString("utf8"), NOT_UTF8));
    root = bytes.toString("utf8");
  } catch (cause) {
    // A path that is not valid UTF-8 arrives with U+FFFD in place of the bad bytes.
    if (given.includes("\uFFFD")) return err(refused(given, NOT_UTF8));
    return err(unreadable(given, cause as NodeJS.ErrnoException));
  }
  const unmountable = options.unmountable?.(root);
  if (unmountable !== undefined) return err(refused(root, unmountable));
  if ((await statsAt(root))?.isDirectory() !== true)
    return err(refused(root, "it is not a directory"));
  const reason = await refusal(root, options);
  if (reason !== undefined) return err(refused(root, reason));
  if ((await statsAt(join(root, ".git"))) === undefined && (await mayBeGitDir(root))) {
    const why = "it is a bare repository, whose configuration and hooks your git obeys";
    const fix = `Open one of its work trees as the project. If it is not meant to be one: ls -ld ${["HEAD", "objects", "refs"].map((name) => quoteForShell(join(root, name))).join(" ")}, and remove these.`;
    return err(refused(root, why, fix));
  }
  return ok(root);
}

async function inspect(
  root: string,
  options: ProjectMountsOptions,
): Promise<Result<ProjectMounts, SandboxError>> {
  const { gitMounts, before, signal } = options;
  const notes: string[] = [];
  if ((await statsAt(join(root, ".git")))?.isSymbolicLink() === true) {
    const why = "its .git is a symbolic link, which the agent could replace by its own";
    return err(refused(root, why, withoutLink(root)));
  }
  const throughLink = await linkOfPointer(root);
  if (throughLink !== undefined) {
    const why = `its .git file leads through the link ${throughLink}, which the agent could replace`;
    return err(refused(root, why, "Write the path without that link into .git."));
  }
  const agents = new Set<string>();
  const isPassedOver = async (name: string) => {
    const isPassed = await isAgents(root, name, before);
    if (isPassed) agents.add(name);
    return isPassed;
  };
  const walked = await findGitDirs(root, { signal, isPassedOver });
  if (!walked.ok) return err(refused(root, walked.error.reason, walked.error.fix));
  notes.push(...walked.value.notes);
  const nested = walked.value.found.flatMap((it) => it.usedIn ?? []);
  const obeyed = await gitTrustedPaths(root, { nested });
  if (!obeyed.ok) {
    const reason = `it is not known what git runs here: ${obeyed.error.reason}`;
    return err(refused(root, reason, obeyed.error.fix));
  }
  notes.push(...obeyed.value.notes);
  const own = await ownPlaces(root, options.neverWritable ?? []);
  const protectedNames = options.protectedNames ?? PROTECTED_NAMES;
  // One may open a terminal or an editor in each work tree.
  const inner = protectedNames.filter((name) => name !== ".git");
  const below = obeyed.value.tops.flatMap((top) => inner.map((name) => join(top, name)));
  const named = await namedPaths(root, [...protectedNames, ...below]);
  notes.push(...named.notes);
  const now: ProtectedPath[] = [...named.paths];
  const found = walked.value.found.map((it) => it.name);
  const linked = await linksOf(root, named.paths);
  const sourced = await sourcedBy(root, named.paths);
  notes.push(...linked.notes, ...sourced.notes);
  const others = [...obeyed.value.names, ...own.names, ...linked.ends, ...sourced.names];
  for (const name of [...found, ...others]) {
    const kind = await kindAt(root, name);
    if (kind === undefined) {
      const why = `${name} vanished while it was looked at`;
      return err(refused(root, why, "Try again when nothing changes the project."));
    }
    const isPlaceholder = obeyed.value.placeholders.includes(name);
    if (kind === "other")
      notes.push(`${name} is not a plain file or directory, and not protected.`);
    else now.push({ name, kind, ...(isPlaceholder ? { isPlaceholder } : {}) });
  }
  for (const { name } of named.paths)
    if (name !== ".git" && (await isAgents(root, name, before))) agents.add(name);
  const merged = await mergeGuard(now, before, (name) => kindAt(root, name));
  if (!merged.ok) return err(refused(root, merged.error.reason, merged.error.fix));
  notes.push(...merged.value.notes);

  const folded = foldMounts(outermost(merged.value.protected.map((it) => it.name)));
  if (folded === undefined) {
    const why = `more than ${MAX_MOUNTS} places in it would have to be mounted read-only, which the sandbox cannot do`;
    return err(refused(root, why, "Open one of the repositories in it as the project."));
  }
  const { names } = folded;
  notes.push(...folded.notes);
  const mounts: BindMount[] = [{ source: root, target: root, readOnly: own.isWhole }];
  if (own.isWhole) notes.push(WHOLE_NOTE);
  const guarded: GuardedFile[] = [];
  for (const name of parentDirsOf(names)) {
    mounts.push(mountOf(root, name, own.isWhole));
    guarded.push({ name, isParentDir: true, identity: await identityOf(root, name) });
  }
  for (const name of names) {
    const identity = await identityOf(root, name);
    const isReplaced = name === ".git" && gitMounts !== undefined;
    // A pointer file stays what it is; what it names is replaced.
    const isFile = merged.value.protected.find((it) => it.name === name)?.kind === "file";
    if (!isReplaced || isFile) mounts.push(mountOf(root, name, true));
    if (isReplaced) mounts.push(...gitMounts);
    guarded.push({ name, identity, ...(isReplaced ? { replaced: true as const } : {}) });
    if (name === ".git" && isFile && !isReplaced) {
      const pointer = await gitPointerMounts(root);
      mounts.push(...pointer.mounts.filter((it) => !contains(root, it.target)));
      // A git directory in the project is there, read-only, whether it points back or not.
      if (!names.some((it) => it === pointer.inProject)) notes.push(...pointer.notes);
    }
    notes.push(...(await hardLinkNotes(root, name)));
  }
  const { hardLinked, environments } = walked.value;
  const appearing = [...found, ...named.paths.map((it) => it.name)];
  const { record } = merged.value;
  return ok({
    ...{ root, mounts, guarded, record, notes, hardLinked, environments },
    ...{ appearing, agents: [...agents] },
  });
}

const WHOLE_NOTE =
  "Neovim runs codex-chat.nvim from this very directory, so all of it is read-only in the sandbox. To have Codex change the plugin, open another clone of it.";

function mountOf(root: string, name: string, readOnly: boolean): BindMount {
  const path = join(root, name);
  return { source: path, target: path, readOnly };
}

async function identityOf(root: string, name: string): Promise<string> {
  return (await fileIdentity(join(root, name))) ?? "";
}

/** Those of the protected names that exist, and sentences about those that cannot be protected. */
async function namedPaths(
  root: string,
  names: readonly string[],
): Promise<{ readonly paths: readonly ProtectedPath[]; readonly notes: readonly string[] }> {
  const paths: ProtectedPath[] = [];
  const notes: string[] = [];
  for (const name of names) {
    const stats = await statsAt(join(root, name));
    if (stats === undefined) continue;
    if (stats.isFile()) paths.push({ name, kind: "file" });
    else if (stats.isDirectory()) paths.push({ name, kind: "directory" });
    else if (!stats.isSymbolicLink())
      notes.push(`${name} is neither a file nor a directory and is not protected.`);
    // A mount would land on the link's target and leave the link itself replaceable.
    else
      notes.push(
        `${name} is a symbolic link: it cannot be made read-only and the agent can replace it.`,
      );
  }
  return { paths, notes };
}

/** Where in the project the host's own programs are; `isWhole` where the project is within them. */
async function ownPlaces(
  root: string,
  places: readonly string[],
): Promise<{ readonly names: readonly string[]; readonly isWhole: boolean }> {
  const real = await Promise.all(places.map(resolved));
  return {
    names: real.filter((it) => contains(root, it)).map((it) => relative(root, it)),
    // What is in a directory such as .cache is not run from there.
    isWhole: real.some(
      (it) => it === root || (contains(it, root) && !relative(it, root).startsWith(".")),
    ),
  };
}

async function refusal(root: string, options: RootOptions): Promise<string | undefined> {
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
    if (isWithin(root, secret)) {
      return `it contains ${secret}, which the agent must not reach`;
    }
    if (contains(secret, root)) return `it lies within ${secret}, which the agent must not reach`;
  }
  return undefined;
}

/** The tree of the sandbox's own system that a path lies in, if any. */
export function closedTreeOf(path: string): string | undefined {
  return CLOSED_TREES.find((tree) => isWithin(tree, path));
}

function refused(root: string, reason: string, fix = OPEN_ANOTHER): SandboxError {
  const message = `${root} is not given to the agent: ${reason}.`;
  return { kind: "project_refused", message, fix, root };
}

/** A directory that was there when the conversation was opened, and perhaps when the sandbox was. */
function unreadable(root: string, { code, message }: NodeJS.ErrnoException): SandboxError {
  if (code === "ENOENT" || code === "ENOTDIR")
    return refused(root, "there is no such directory any more", putBack(root));
  const parts = root.split("/").slice(1);
  const above = parts.map((_, n) => quoteForShell(`/${parts.slice(0, n + 1).join("/")}`));
  return refused(
    root,
    `it cannot be read (${message})`,
    `See which directory is closed to you: ls -ld ${above.join(" ")}\nOpen it (chmod u+rx, if it is yours), then send again.`,
  );
}

/** What helps where a project's directory was removed or renamed. */
export function putBack(root: string): string {
  return `Put it back (mv NEW-NAME ${quoteForShell(root)}), then send again. To go on under another name: :CodexChat open NEW-NAME; this conversation stays in :CodexChat! threads.`;
}

/** What puts a pointer file, which git takes just as well, in the place of a link. */
function withoutLink(root: string): string {
  const look = `ls -l ${quoteForShell(join(root, ".git"))}`;
  const change = `(cd ${quoteForShell(root)} && dir=$(readlink -f .git) && rm .git && echo "gitdir: $dir" > .git && git config core.worktree "$PWD")`;
  return `${look}\nIf that link is yours and no other directory uses that repository, put a file in its place, which git takes as well:\n${change}`;
}
