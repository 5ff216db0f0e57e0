import { dirname, isAbsolute, join, normalize } from "node:path";
import { mayBeGitDir } from "../../git-layout.ts";
import { quoteForShell, realPathOf, statsAt } from "../../look.ts";
import { contains, isWithin } from "../../paths.ts";
import { err, ok, type Result } from "../../result.ts";
import { HOME_DIR } from "../container-spec.ts";
import { findGitDirs, gitTrustedPaths, outermost, parentDirsOf } from "../git/index.ts";
import type { BindMount } from "../mount.ts";
import { closedTreeOf, PROTECTED_NAMES, SYSTEM_DIRS } from "../mounts/index.ts";
import { findShared, type OutOfReach, type SharedPath } from "./shared-path.ts";

/** A file or directory of the user's own configuration; read-only unless `write`. */
export type UserMount = {
  /** Absolute. */
  readonly source: string;
  /** Absolute; default: the source as it is spelled. */
  readonly target?: string;
  readonly write?: boolean;
};

/** What is needed to judge mounts; paths are resolved. */
export type UserMountOptions = OutOfReach & {
  readonly root: string;
  readonly codexHome: string;
  /** Why the engine cannot mount this path, if it cannot. */
  readonly unmountable?: (path: string) => string | undefined;
};

/**
 * Lists the user's own mounts. One that would show too much, or cover what protects, is left out
 * with a note. A writable one is told of, and what the host runs by itself is read-only in it, too.
 */
export async function prepareUserMounts(
  wanted: readonly UserMount[],
  options: UserMountOptions,
): Promise<{ readonly mounts: readonly BindMount[]; readonly notes: readonly string[] }> {
  const mounts: BindMount[] = [];
  const notes: string[] = [];
  for (const mount of wanted) {
    const judged = await judge(mount, options, mounts);
    if ("reason" in judged) {
      notes.push(`sandbox.mounts: ${mount.source} is not mounted: ${judged.reason}.`);
      continue;
    }
    const inside = await protectedIn(judged);
    if (!inside.ok) {
      notes.push(
        `sandbox.mounts: ${mount.source} is not mounted: ${inside.error.reason}. ${inside.error.fix}`,
      );
      continue;
    }
    mounts.push(judged.mount, ...inside.value.mounts);
    if (judged.mount.readOnly) continue;
    const { source, target } = judged.mount;
    const where = target === source ? "" : ` (as ${target})`;
    notes.push(
      `sandbox.mounts: the agent can write in ${source}${where}.`,
      ...inside.value.notes.map((note) => `sandbox.mounts: in ${source}, ${note}`),
    );
  }
  return { mounts, notes };
}

type Judged = { readonly mount: BindMount; readonly kind: SharedPath["kind"] };

async function judge(
  { source: given, target: wantedTarget, write = false }: UserMount,
  options: UserMountOptions,
  others: readonly BindMount[],
): Promise<Judged | { readonly reason: string }> {
  const { root } = options;
  const source = await findShared(given, options);
  if ("reason" in source) return source;
  const spelled = normalize(given).replace(/(.)\/+$/, "$1");
  const target = normalize(wantedTarget ?? spelled).replace(/(.)\/+$/, "$1");
  // SECURITY: the agent can put a link into the project, for the next start to follow.
  const inProject = isWithin(root, spelled) || isWithin(root, source.path);
  if (inProject && source.path !== spelled)
    return { reason: "the way to it leads through a link in the project, which the agent can set" };
  if (inProject && (target !== spelled || write))
    return {
      reason: "it is in the project, where it can only be made read-only in its own place",
    };
  if (source.path === root || contains(source.path, root))
    return { reason: "it holds the project, whose protected files it would show unprotected" };
  const reason =
    options.unmountable?.(source.path) ??
    options.unmountable?.(target) ??
    (await targetProblem(target, source, options)) ??
    (others.some((it) => it.target === target) ? `${target} is taken already` : undefined);
  if (reason !== undefined) return { reason };
  return { mount: { source: source.path, target, readOnly: !write }, kind: source.kind };
}

/** Why nothing may be mounted at this place, if so. */
async function targetProblem(
  target: string,
  { kind }: SharedPath,
  { root, codexHome }: UserMountOptions,
): Promise<string | undefined> {
  if (!isAbsolute(target)) return `its target ${target} is not an absolute path`;
  if (target === "/" || SYSTEM_DIRS.has(target) || target === HOME_DIR)
    return `its target ${target} is a directory of the sandbox's system`;
  if (closedTreeOf(target) !== undefined || ["/etc/passwd", "/etc/group"].includes(target))
    return `its target ${target} belongs to the sandbox itself`;
  if (isWithin(target, root) || isWithin(target, codexHome))
    return `its target ${target} would cover the project or Codex's own files`;
  if (isWithin(codexHome, target)) return `its target ${target} lies among Codex's own files`;
  if (!isWithin(root, target)) return undefined;
  if (PROTECTED_NAMES.some((name) => isWithin(join(root, name), target)))
    return `its target ${target} is protected`;
  // The engine would make what is missing, as root, in the user's project.
  const found = await statsAt(target);
  const fits = kind === "file" ? found?.isFile() : found?.isDirectory();
  const real = await realPathOf(target);
  if (fits === true && real === target) return undefined;
  return `its target ${target} lies in the project and is no ${kind} there; make one first`;
}

/** Why a directory cannot be mounted writable, and what to do. */
type Unprotected = { readonly reason: string; readonly fix: string };

/** What protects in a writable mount; the notes say what cannot be protected. */
type Protection = { readonly mounts: readonly BindMount[]; readonly notes: readonly string[] };

/**
 * Read-only mounts over what the host runs or obeys by itself in a writable directory, and mounts
 * of the directories above, so that those cannot be renamed. Errors: why they could not be found, or
 * why there is no protecting it.
 */
async function protectedIn({
  mount: { source, target, readOnly },
  kind,
}: Judged): Promise<Result<Protection, Unprotected>> {
  if (readOnly) return ok({ mounts: [], notes: [] });
  const problem = await gitProblem(source);
  if (problem !== undefined) return err(problem);
  if (kind !== "directory") return ok({ mounts: [], notes: [] });
  const walked = await findGitDirs(source);
  if (!walked.ok) return walked;
  const nested = walked.value.found.flatMap((it) => it.usedIn ?? []);
  const obeyed = await gitTrustedPaths(source, { nested });
  if (!obeyed.ok) return obeyed;
  const found = walked.value.found.map((it) => it.name);
  // One may open a terminal or an editor in each work tree.
  const inner = PROTECTED_NAMES.filter((name) => name !== ".git");
  const below = obeyed.value.tops.flatMap((top) => inner.map((name) => join(top, name)));
  const present: string[] = [];
  const notes = [...obeyed.value.notes];
  for (const name of new Set([...PROTECTED_NAMES, ...below, ...found, ...obeyed.value.names])) {
    const path = join(source, name);
    const stats = await statsAt(path);
    if (stats === undefined) continue;
    if ((await realPathOf(path)) !== path)
      notes.push(
        `${name} is a link or lies behind one: it cannot be made read-only, and the agent can replace it.`,
      );
    else if (stats.isFile() || stats.isDirectory()) present.push(name);
  }
  const names = outermost(present);
  const mountAs = (readOnly: boolean) => (name: string) => ({
    source: join(source, name),
    target: join(target, name),
    readOnly,
  });
  const mounts = [...parentDirsOf(names).map(mountAs(false)), ...names.map(mountAs(true))];
  return ok({ mounts, notes });
}

/**
 * Why the agent may not write at this path because of a git directory, if so.
 *
 * SECURITY: of a bare repository, and of what lies in any git directory, git runs the hooks and obeys
 * the configuration, and makes others of its files by renaming. A mount over a link to a git
 * directory would land on its target and leave the link to be replaced.
 */
async function gitProblem(source: string): Promise<Unprotected | undefined> {
  for (let dir = source; ; dir = dirname(dir)) {
    if (await mayBeGitDir(dir)) {
      const what = dir === source ? "it is a git directory" : `it lies in the git directory ${dir}`;
      const reason = `${what}, whose hooks and configuration your git obeys`;
      return { reason, fix: "Mount it without `write`, or a clone of it." };
    }
    if (dir === dirname(dir)) break;
  }
  const git = join(source, ".git");
  if ((await statsAt(git))?.isSymbolicLink() !== true) return undefined;
  return {
    reason: `${git} is a link, which the agent could replace by one to a repository that it has made`,
    fix: `Look with \`ls -l ${quoteForShell(git)}\`, and put the git directory itself in its place, or mount it without \`write\`.`,
  };
}
