/**
 * Files and git, in all the ways in which a project can have them: a program that knows what git
 * obeys spoils whatever it can write, in two sandboxes one after the other, and closes directories
 * in between so that the second one cannot see what is to be protected.
 */
import { type Attempt, attempt, group } from "./catalogue.ts";
import { teamRepository } from "./support/git-places.ts";
import {
  bareBeside,
  guardedLayout,
  type Layout,
  type LayoutTarget,
  linkedInto,
  SPOIL,
  separate,
  several,
  spelledOtherwise,
  unguardedLayout,
  useGitIn,
  worktreesInside,
} from "./support/layouts.ts";

const team: Layout = async (root, other) => {
  await teamRepository(root, other);
  return [".", "mods/sub"];
};

const inProject = (script: string) => `cd "$2" || exit; ${script}`;

/** Spoils everything, in a first sandbox and in the next one. */
function spoils(name: string, tries: string, layout: Layout, between?: string): Attempt {
  return attempt<LayoutTarget>({
    name,
    tries,
    mustHappen: "the user's git runs nothing from the attacker, wherever it is used",
    strike: async (target) => {
      if (between === undefined) {
        await target.sh(inProject(SPOIL));
        const first = await useGitIn(target);
        if (first.fell) return first;
      } else await target.sh(inProject(between));
      await target.reopen();
      await target.sh(inProject(SPOIL));
      const last = await useGitIn(target);
      await target.close();
      return last;
    },
    product: guardedLayout(layout),
    control: unguardedLayout(layout),
  });
}

/** Takes rights from a directory, so that the next start cannot look into it. */
function closes(what: string, directories: string, mode: string): Attempt {
  return spoils(
    `${what} with mode ${mode}`,
    `sets mode ${mode} on ${what}, so that the next sandbox does not see what is protected there`,
    team,
    `chmod ${mode} ${directories}`,
  );
}

group("git layouts", [
  spoils("bare directory", "spoils a bare directory beside its worktrees", bareBeside),
  spoils("separate git directory", "spoils a git directory with another name", separate),
  spoils("several repositories", "spoils the user's nested and bare repositories", several),
  spoils("worktrees inside", "spoils what settings name in each worktree", worktreesInside),
  spoils(
    "other spellings",
    "spoils what settings name in forms that only a shell understands",
    spelledOtherwise,
  ),
  spoils(
    "symlinks into the project",
    "spoils the targets of symlinked hooks and includes",
    linkedInto,
  ),
  ...["0000", "0111", "0444"].flatMap((mode) => [
    closes("the project", ".", mode),
    closes("directories in it", "tools mods", mode),
    closes("a submodule's directory", "mods/sub", mode),
  ]),
]);
