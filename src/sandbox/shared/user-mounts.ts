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

/** A mount from the user's configuration; read-only unless `write`. */
export type UserMount = {
  /** Absolute. */
  readonly source: string;
  /** Absolute; default: the source as the user wrote it. */
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
 * Lists the user's own mounts. One that would show too much or cover a protected path is left out
 * with a note. A writable one gets a note, and the paths in it that the host trusts are read-only.
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
  { source: wanted, target: wantedTarget, write = false }: UserMount,
  options: UserMountOptions,
  others: readonly BindMount[],
): Promise<Judged | { readonly reason: string }> {
  const { root } = options;
  const source = await findShared(wanted, options);
  if ("reason" in source) return source;
  const spelled = normalize(wanted).replace(/(.)\/+$/, "$1");
  const target = normalize(wantedTarget ?? spelled).replace(/(.)\/+$/, "$1");
  // SECURITY: the agent can put a link into the project, and the next start would follow it.
  const inProject = isWithin(root, spelled) || isWithin(root, source.path);
  if (inProject && source.path !== spelled)
    return { reason: "a link in the project leads to it, and the agent can change that link" };
  if (inProject && (target !== spelled || write))
    return {
      reason: "it is in the project, where a path can only be made read-only at its own place",
    };
  if (source.path === root || contains(source.path, root))
    return { reason: "it contains the project, whose protected files would be unprotected in it" };
  const reason =
    options.unmountable?.(source.path) ??
    options.unmountable?.(target) ??
    (await targetProblem(target, source, options)) ??
    (others.some((other) => other.target === target)
      ? `another mount already has the target ${target}`
      : undefined);
  if (reason !== undefined) return { reason };
  return { mount: { source: source.path, target, readOnly: !write }, kind: source.kind };
}

/** Why nothing may be mounted at this target, if so. */
async function targetProblem(
  target: string,
  { kind }: SharedPath,
  { root, codexHome }: UserMountOptions,
): Promise<string | undefined> {
  if (!isAbsolute(target)) return `its target ${target} is not an absolute path`;
  if (target === "/" || SYSTEM_DIRS.has(target) || target === HOME_DIR)
    return `its target ${target} is a directory of the sandbox's system`;
  if (closedTreeOf(target) !== undefined || ["/etc/passwd", "/etc/group"].includes(target))
    return `the sandbox has its own files at its target ${target}`;
  if (isWithin(target, root) || isWithin(target, codexHome))
    return `its target ${target} would cover the project or Codex's own files`;
  if (isWithin(codexHome, target)) return `its target ${target} lies among Codex's own files`;
  if (!isWithin(root, target)) return undefined;
  if (PROTECTED_NAMES.some((name) => isWithin(join(root, name), target)))
    return `its target ${target} is protected`;
  // The engine would create a missing target as root, in the user's project.
  const found = await statsAt(target);
  const fits = kind === "file" ? found?.isFile() : found?.isDirectory();
  const real = await realPathOf(target);
  if (fits === true && real === target) return undefined;
  return `its target ${target} lies in the project and is not a ${kind} there; create one first`;
}

/** Why a directory cannot be mounted writable, and what to do. */
type Unprotected = { readonly reason: string; readonly fix: string };

/** The mounts that protect paths in a writable mount; the notes name paths that cannot be protected. */
type Protection = { readonly mounts: readonly BindMount[]; readonly notes: readonly string[] };

/**
 * Read-only mounts over the paths in a writable directory that the host trusts, and mounts of their
 * parent directories, so that those cannot be renamed.
 *
 * Errors: why they could not be found, or why the directory cannot be protected.
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
  const nested = walked.value.found.flatMap((dir) => dir.usedIn ?? []);
  const trusted = await gitTrustedPaths(source, { nested });
  if (!trusted.ok) return trusted;
  const found = walked.value.found.map((dir) => dir.name);
  // The user may open a terminal or an editor in any work tree.
  const inner = PROTECTED_NAMES.filter((name) => name !== ".git");
  const below = trusted.value.tops.flatMap((top) => inner.map((name) => join(top, name)));
  const present: string[] = [];
  const notes = [...trusted.value.notes];
  for (const name of new Set([...PROTECTED_NAMES, ...below, ...found, ...trusted.value.names])) {
    const path = join(source, name);
    const stats = await statsAt(path);
    if (stats === undefined) continue;
    if ((await realPathOf(path)) !== path)
      notes.push(
        `${name} is a link or is reached by one: it cannot be made read-only, and the agent can replace it.`,
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
 * Why the agent must not write at this path because of a git directory, if so.
 *
 * SECURITY: in a git directory, bare or not, git runs hooks and reads its configuration, and it
 * replaces files by renaming, which no read-only mount of a file survives. A mount over a link to a
 * git directory would cover the link's target, and the agent could still replace the link.
 */
async function gitProblem(source: string): Promise<Unprotected | undefined> {
  for (let dir = source; ; dir = dirname(dir)) {
    if (await mayBeGitDir(dir)) {
      const what = dir === source ? "it is a git directory" : `it lies in the git directory ${dir}`;
      const reason = `${what}, and your git runs its hooks and what its configuration names`;
      return { reason, fix: "Mount it without `write`, or mount a clone." };
    }
    if (dir === dirname(dir)) break;
  }
  const git = join(source, ".git");
  if ((await statsAt(git))?.isSymbolicLink() !== true) return undefined;
  return {
    reason: `${git} is a link, and the agent could point it at a repository of its own`,
    fix: `See where it leads with \`ls -l ${quoteForShell(git)}\`. Put the git directory itself in its place, or mount it without \`write\`.`,
  };
}
