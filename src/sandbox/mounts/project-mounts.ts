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
 * Paths that programs on the host trust when they start in a project's top directory: git's own
 * directory, start-up files of editors and shells, hooks, and the configuration of other agents.
 * Those that exist are mounted read-only, so that the agent cannot make the host run something.
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

/** The engine's API takes paths as JSON, which cannot hold other bytes. */
const NOT_UTF8 =
  "its path is not valid UTF-8, and a container engine cannot mount such a path; rename that directory (mv), or give it a valid name with a bind mount (a link does not help)";

/** The fix for a directory that cannot be a project. */
const OPEN_ANOTHER =
  "Open the project's own directory: :CodexChat open ~/work. To create one: mkdir -p ~/work && git init ~/work";
/** A project as it will be mounted. */
export type ProjectMounts = {
  /** Resolved absolute path; the same inside and outside. */
  readonly root: string;
  readonly mounts: readonly BindMount[];
  /** The protected files that exist, read-only inside, and their parent directories, as they are now. */
  readonly guarded: readonly GuardedFile[];
  /** Protected paths that exist because somebody made them, not because a setting names them. */
  readonly appearing: readonly string[];
  /** Paths that appeared while an agent worked, and are still the same. */
  readonly agents: readonly string[];
  /** The record to keep for the next start. */
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
  /** Directories that the agent must not reach, such as the state and the engine's socket. */
  readonly outOfReach: readonly string[];
  /** Directories that the host runs programs from: the plugin's and Node's. */
  readonly neverWritable?: readonly string[];
  /** Why the engine cannot mount this path, if it cannot. */
  readonly unmountable?: (path: string) => string | undefined;
  readonly protectedNames?: readonly string[];
  /** Mounts in the place of the real git directory, which is then out of reach. */
  readonly gitMounts?: readonly BindMount[];
  /** The record of earlier starts; undefined at the first one. */
  readonly before?: GuardRecord | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Judges a project's directory and lists what is mounted of it.
 *
 * Errors: `project_refused`, also if a path that decides about protection cannot be accessed.
 * Rejects with `signal.reason`.
 */
export async function inspectProject(
  options: ProjectMountsOptions,
): Promise<Result<ProjectMounts, SandboxError>> {
  return refuseFailedLooks(options.root, async () => {
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
 * Judges a project's directory alone, which is quick, and returns its path without links if the
 * agent may have it.
 *
 * Errors: `project_refused`.
 */
export async function judgeRoot(options: RootOptions): Promise<Result<string, SandboxError>> {
  return refuseFailedLooks(options.root, () => judge(options));
}

async function refuseFailedLooks<T>(
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

/** The refusal for a failed look that decides about protection. */
export function failedLookRefusal(root: string, cause: LookError): SandboxError {
  const reason = `${cause.message}, so it is not known which files there must be protected`;
  return refused(root, reason, cause.fix);
}

async function judge(options: RootOptions): Promise<Result<string, SandboxError>> {
  const asked = options.root;
  if (!isAbsolute(asked)) return err(refused(asked, "it is not an absolute path"));
  let root: string;
  try {
    const bytes = await realpath(asked, { encoding: "buffer" });
    if (!isUtf8(bytes)) return err(refused(bytes.toString("utf8"), NOT_UTF8));
    root = bytes.toString("utf8");
  } catch (cause) {
    // A path that is not valid UTF-8 arrives with U+FFFD in place of the bad bytes.
    if (asked.includes("\uFFFD")) return err(refused(asked, NOT_UTF8));
    return err(unreadable(asked, cause as NodeJS.ErrnoException));
  }
  const unmountable = options.unmountable?.(root);
  if (unmountable !== undefined) return err(refused(root, unmountable));
  if ((await statsAt(root))?.isDirectory() !== true)
    return err(refused(root, "it is not a directory"));
  const reason = await refusal(root, options);
  if (reason !== undefined) return err(refused(root, reason));
  if ((await statsAt(join(root, ".git"))) === undefined && (await mayBeGitDir(root))) {
    const why =
      "it is a bare repository, and your git runs its hooks and what its configuration names";
    const fix = `Open one of its work trees as the project. If it is not meant to be a repository: ls -ld ${["HEAD", "objects", "refs"].map((name) => quoteForShell(join(root, name))).join(" ")}, and remove those three.`;
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
    const why =
      "its .git is a symbolic link, and the agent could point it at a repository of its own";
    return err(refused(root, why, withoutLink(root)));
  }
  const throughLink = await linkOfPointer(root);
  if (throughLink !== undefined) {
    const why = `its .git file leads through the link ${throughLink}, and the agent could change that link`;
    return err(refused(root, why, "Write the path without that link into the .git file."));
  }
  const agents = new Set<string>();
  const isIgnored = async (name: string) => {
    const isOwn = await isAgents(root, name, before);
    if (isOwn) agents.add(name);
    return isOwn;
  };
  const walked = await findGitDirs(root, { signal, isIgnored });
  if (!walked.ok) return err(refused(root, walked.error.reason, walked.error.fix));
  notes.push(...walked.value.notes);
  const nested = walked.value.found.flatMap((dir) => dir.usedIn ?? []);
  const trusted = await gitTrustedPaths(root, { nested });
  if (!trusted.ok) {
    const reason = `it is not known which files git runs here: ${trusted.error.reason}`;
    return err(refused(root, reason, trusted.error.fix));
  }
  notes.push(...trusted.value.notes);
  const own = await hostPrograms(root, options.neverWritable ?? []);
  const protectedNames = options.protectedNames ?? PROTECTED_NAMES;
  // The user may open a terminal or an editor in any work tree.
  const inner = protectedNames.filter((name) => name !== ".git");
  const below = trusted.value.tops.flatMap((top) => inner.map((name) => join(top, name)));
  const named = await namedPaths(root, [...protectedNames, ...below]);
  notes.push(...named.notes);
  const now: ProtectedPath[] = [...named.paths];
  const found = walked.value.found.map((dir) => dir.name);
  const linked = await linksOf(root, named.paths);
  const sourced = await sourcedBy(root, named.paths);
  notes.push(...linked.notes, ...sourced.notes);
  const others = [...trusted.value.names, ...own.names, ...linked.ends, ...sourced.names];
  for (const name of [...found, ...others]) {
    const kind = await kindAt(root, name);
    if (kind === undefined) {
      const why = `${name} was removed while the project was inspected`;
      return err(refused(root, why, "Try again when no other program is changing the project."));
    }
    const isPlaceholder = trusted.value.placeholders.includes(name);
    if (kind === "other")
      notes.push(`${name} is not a plain file or directory, so it is not protected.`);
    else now.push({ name, kind, ...(isPlaceholder ? { isPlaceholder } : {}) });
  }
  for (const { name } of named.paths)
    if (name !== ".git" && (await isAgents(root, name, before))) agents.add(name);
  const merged = await mergeGuard(now, before, (name) => kindAt(root, name));
  if (!merged.ok) return err(refused(root, merged.error.reason, merged.error.fix));
  notes.push(...merged.value.notes);

  const folded = foldMounts(outermost(merged.value.protected.map((path) => path.name)));
  if (folded === undefined) {
    const why = `more than ${MAX_MOUNTS} paths in it must be mounted read-only, which is more than the sandbox can mount`;
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
    // A pointer file is mounted as it is; the directory that it names is replaced.
    const isFile = merged.value.protected.find((path) => path.name === name)?.kind === "file";
    if (!isReplaced || isFile) mounts.push(mountOf(root, name, true));
    if (isReplaced) mounts.push(...gitMounts);
    guarded.push({ name, identity, ...(isReplaced ? { replaced: true as const } : {}) });
    if (name === ".git" && isFile && !isReplaced) {
      const pointer = await gitPointerMounts(root);
      mounts.push(...pointer.mounts.filter((mount) => !contains(root, mount.target)));
      // A git directory inside the project is mounted read-only whether it points back or not.
      if (!names.some((known) => known === pointer.inProject)) notes.push(...pointer.notes);
    }
    notes.push(...(await hardLinkNotes(root, name)));
  }
  const { hardLinked, environments } = walked.value;
  const appearing = [...found, ...named.paths.map((path) => path.name)];
  const { record } = merged.value;
  return ok({
    ...{ root, mounts, guarded, record, notes, hardLinked, environments },
    ...{ appearing, agents: [...agents] },
  });
}

const WHOLE_NOTE =
  "Neovim runs codex-chat.nvim from this directory, so all of it is read-only in the sandbox. To let Codex change the plugin, open another clone.";

function mountOf(root: string, name: string, readOnly: boolean): BindMount {
  const path = join(root, name);
  return { source: path, target: path, readOnly };
}

async function identityOf(root: string, name: string): Promise<string> {
  return (await fileIdentity(join(root, name))) ?? "";
}

/** The protected names that exist, and notes about those that cannot be protected. */
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
    // A mount would cover the link's target, and the agent could still replace the link.
    else
      notes.push(
        `${name} is a symbolic link: it cannot be made read-only and the agent can replace it.`,
      );
  }
  return { paths, notes };
}

/** Directories in the project that the host runs programs from; `isWhole` if the project is in one. */
async function hostPrograms(
  root: string,
  places: readonly string[],
): Promise<{ readonly names: readonly string[]; readonly isWhole: boolean }> {
  const real = await Promise.all(places.map(resolved));
  return {
    names: real.filter((path) => contains(root, path)).map((path) => relative(root, path)),
    // The host does not run programs from a hidden directory there, such as .cache.
    isWhole: real.some(
      (path) => path === root || (contains(path, root) && !relative(path, root).startsWith(".")),
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
  const message = `The agent gets no access to ${root}: ${reason}.`;
  return { kind: "project_refused", message, fix, root };
}

/** The refusal of a directory that was removed or closed after the conversation was opened. */
function unreadable(root: string, { code, message }: NodeJS.ErrnoException): SandboxError {
  if (code === "ENOENT" || code === "ENOTDIR")
    return refused(root, "the directory no longer exists", putBack(root));
  const parts = root.split("/").slice(1);
  const above = parts.map((_, n) => quoteForShell(`/${parts.slice(0, n + 1).join("/")}`));
  return refused(
    root,
    `it cannot be read (${message})`,
    `Find the directory that you may not enter: ls -ld ${above.join(" ")}\nIf it is yours, open it with chmod u+rx, then send again.`,
  );
}

/** The fix for a project's directory that was removed or renamed. */
export function putBack(root: string): string {
  return `Put it back (mv NEW-NAME ${quoteForShell(root)}), then send again. To go on under the new name: :CodexChat open NEW-NAME; this conversation stays in :CodexChat! threads.`;
}

/** Commands that replace a link by a pointer file, which git accepts as well. */
function withoutLink(root: string): string {
  const look = `ls -l ${quoteForShell(join(root, ".git"))}`;
  const change = `(cd ${quoteForShell(root)} && dir=$(readlink -f .git) && rm .git && echo "gitdir: $dir" > .git && git config core.worktree "$PWD")`;
  return `${look}\nIf the link is yours and no other directory uses that repository, replace it by a file, which git accepts as well:\n${change}`;
}
