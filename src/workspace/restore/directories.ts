import { parentOf } from "../byte-path.ts";
import type { ChangeSet } from "../checkpoints/index.ts";
import type { Plan, Step } from "./change.ts";

/** What a plan does to directories. */
type Directories = Pick<Plan, "makeDirs" | "removeDirs" | "dirModes" | "emptyDirs">;

/** The directories above a path, the nearest first, without the project's root. */
export function parentsOf(path: string): readonly string[] {
  const parents: string[] = [];
  for (let dir = parentOf(path); dir !== ""; dir = parentOf(dir)) parents.push(dir);
  return parents;
}

/**
 * Plans what happens to directories: git does not know empty ones.
 *
 * @param current the directories as they are
 * @param after the files once the steps are done
 */
export function planDirectories(
  current: { readonly dirs: ReadonlySet<string>; readonly emptyDirs: readonly string[] },
  sets: readonly ChangeSet[],
  steps: readonly Step[],
  after: Iterable<string>,
): Directories {
  const [make, remove] = emptyOnes(sets);
  const above = new Set<string>();
  for (const path of after) addParents(above, path);
  const kept = new Set([...current.emptyDirs, ...make].filter((dir) => !remove.has(dir)));
  for (const dir of kept) addParents(above, dir);
  const emptied = steps.flatMap(({ path, to }) => (to === undefined ? parentsOf(path) : []));
  const going = new Set([...emptied, ...remove, ...[...remove].flatMap(parentsOf)]);
  const stays = (dir: string) => kept.has(dir) || above.has(dir);
  const removeDirs = [...going].filter((dir) => !stays(dir));
  const made = [...above, ...make].filter((dir) => !current.dirs.has(dir));
  const modes = new Map(sets.flatMap(({ dirModes }) => [...dirModes.to]));
  return {
    makeDirs: [...make].filter((dir) => !above.has(dir)),
    // A directory comes after those in it.
    removeDirs: removeDirs.sort((one, other) => other.length - one.length),
    dirModes: new Map(made.flatMap((dir) => pair(dir, modes.get(dir)))),
    emptyDirs: [...kept].filter((dir) => !above.has(dir)).sort(),
  };
}

/** The empty directories that come and go with the changes, one after the other. */
function emptyOnes(sets: readonly ChangeSet[]): readonly [Set<string>, Set<string>] {
  const make = new Set<string>();
  const remove = new Set<string>();
  for (const { emptyDirs } of sets) {
    const [from, to] = [new Set(emptyDirs.from), new Set(emptyDirs.to)];
    for (const dir of to) if (!from.has(dir)) move(dir, remove, make);
    for (const dir of from) if (!to.has(dir)) move(dir, make, remove);
  }
  return [make, remove];
}

function move(dir: string, from: Set<string>, to: Set<string>): void {
  from.delete(dir);
  to.add(dir);
}

function addParents(dirs: Set<string>, path: string): void {
  // Those above one that is there are there.
  for (let dir = parentOf(path); dir !== "" && !dirs.has(dir); dir = parentOf(dir)) dirs.add(dir);
}

function pair(dir: string, mode: number | undefined): readonly (readonly [string, number])[] {
  return mode === undefined ? [] : [[dir, mode]];
}
