/**
 * The host: to be taken for somebody else by what the plugin keeps on the host, and to have it write
 * or read where a link leads. The controls do the same without the care.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "../src/atomic-write.ts";
import { lockFile } from "../src/chat/file/file-lock.ts";
import { isAlive, ownOwner } from "../src/process/process-identity.ts";
import { removeContainer } from "../src/sandbox/container/container.ts";
import { LABELS } from "../src/sandbox/container/labels.ts";
import { gitPointerMounts } from "../src/sandbox/git/git-pointer.ts";
import { gitTrustedPaths } from "../src/sandbox/git/trusted-paths.ts";
import { inspectProject } from "../src/sandbox/mounts/project-mounts.ts";
import { sweep } from "../src/sandbox/ownership/sweep.ts";
import { plantPartialClone } from "../test/support/hostile-git.ts";
import { type Attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { engine, fortress, type Inside, weakened } from "./support/containers.ts";
import { editorFollowsNoLink } from "./support/conversation-links.ts";
import {
  closeAtEnd,
  freshDir,
  git,
  hostPlace,
  lazily,
  Mark,
  plantRepository,
} from "./support/places.ts";

const product = lazily(async () => fortress(await hostPlace("host")));

/** A container that has the whole state directory instead of Codex's part of it. */
const wholeState = lazily(async () => {
  const place = await hostPlace("whole-state");
  const state = join(place.state, "projects", "attacked");
  for (const dir of ["codex-home", "leases", "chats"])
    await mkdir(join(state, dir), { recursive: true });
  const inside = await weakened({
    runtime: "runc",
    mounts: [place.base],
    weaken: (options) => options,
  });
  return { inside, state };
});

/** Both do the same with a file that the agent can put a link in the place of. */
function followsNoLink(
  name: string,
  tries: string,
  write: (path: string) => Promise<unknown>,
  linked: (path: string) => string,
): Attempt {
  const strike = async (careful: boolean): Promise<Verdict> => {
    const dir = await freshDir("links");
    const [mine, path] = [join(dir, "bashrc"), join(dir, "chat.md")];
    await writeFile(mine, "the user's\n");
    await symlink(mine, linked(path));
    // A refusal is as good as a write beside it.
    if (careful) await write(path).catch(() => undefined);
    else await writeFile(linked(path), "written\n");
    const now = await readFile(mine, "utf8");
    return verdict(now !== "the user's\n", `the user's file says ${JSON.stringify(now)}`);
  };
  return {
    name,
    tries,
    mustHappen: "the file behind the symlink is unchanged",
    run: () => strike(true),
    control: () => strike(false),
  };
}

/** A stranger's container with labels that look like ours, and whether a sweep takes it. */
async function sweeps(
  labels: Record<string, string>,
  by: (id: string) => Promise<unknown>,
): Promise<Verdict> {
  const on = await engine();
  const { id } = await weakened({
    runtime: "runc",
    weaken: (options) => ({ ...options, Labels: { [LABELS.plugin]: "1", ...labels } }),
  });
  await by(id);
  const left = await on.docker.listContainers({ all: true, filters: { id: [id] } });
  return verdict(left.length === 0, left.length === 0 ? "it was removed" : "it runs on");
}

/** As a script does it: what has the label goes. */
const byLabel = async (id: string) => removeContainer(await engine(), id);
const bySweep = async () => sweep(await engine());

/** Labels of a container of ours whose host is dead. */
async function orphan(): Promise<Record<string, string>> {
  const { scope } = await ownOwner();
  return {
    [LABELS.project]: "attack",
    [LABELS.owner]: "4194304:1",
    [LABELS.scope]: scope,
    [LABELS.uid]: String(process.getuid?.() ?? 0),
    [LABELS.state]: await freshDir("orphan"),
  };
}

function survives(name: string, tries: string, change: () => Promise<object>): Attempt {
  const labels = async () => ({ ...(await orphan()), ...(await change()) });
  return {
    name,
    tries,
    mustHappen: "the sweep leaves whatever is not provably this user's orphan",
    run: async () => sweeps(await labels(), bySweep),
    control: async () => sweeps(await labels(), byLabel),
  };
}

const TOUCH = `for it in "$1"/leases "$1"/chats "$1" "$1"/..; do echo x > "$it/planted" && echo "wrote into $it"; ls "$it"; done 2>/dev/null; true`;

/** What a program inside can reach of the state directory. */
async function reachState(inside: Inside, state: string): Promise<Verdict> {
  const { stdout } = await inside.sh(TOUCH, { args: [state] });
  const planted = ["leases", "chats", ".", ".."].filter((name) =>
    existsSync(join(state, name, "planted")),
  );
  const seen = /leases/.test(stdout);
  return verdict(
    planted.length > 0 || seen,
    `written: ${planted.join(" ") || "none"}; seen: ${seen}`,
  );
}

/** Leaves something of git's in a project without a repository, to have another repository mounted. */
function mountsNoOther(
  name: string,
  tries: string,
  plant: (root: string, other: string) => Promise<unknown>,
  gitDir: string,
): Attempt {
  const planted = async () => {
    const place = await hostPlace("planted");
    const other = join(place.base, "others", "other");
    await plantRepository(other);
    await plant(place.project, other);
    return { place, other };
  };
  return {
    name,
    tries,
    mustHappen: "no repository but the project's is mounted",
    run: async () => {
      const { place, other } = await planted();
      const { id } = await fortress(place);
      const { Mounts } = await (await engine()).docker.getContainer(id).inspect();
      const found = Mounts.filter(({ Source = "" }) => Source.startsWith(other));
      return verdict(found.length > 0, `${found.length} of ${Mounts.length} mounts are of it`);
    },
    control: async () => {
      // As git itself takes it.
      const { place } = await planted();
      const said = await git(place.project, `--git-dir=${gitDir}`, "log", "--format=%s");
      return verdict(said.trim() === "first", said.trim());
    },
  };
}

/** Has a repository of an attacker's looked at. */
async function lookedAt(look: (root: string) => Promise<unknown>): Promise<Verdict> {
  const [root, mark] = [await freshDir("planted"), await Mark.make()];
  await plantPartialClone(root, mark.payload);
  await look(root);
  return verdict(mark.exists, mark.exists ? "the payload ran on the host" : "nothing ran");
}

group("host", [
  survives(
    "labels of another user",
    "gives its container the plugin's labels with another uid, to have it removed",
    async () => ({ [LABELS.uid]: "12345" }),
  ),
  survives(
    "labels without a state",
    "gives its container the plugin's labels with a state directory that cannot be checked",
    async () => ({ [LABELS.state]: "relative/../path" }),
  ),
  survives("labels of a living host", "names a process that runs as the owner", async () => {
    const owner = await ownOwner();
    return { [LABELS.owner]: `${owner.pid}:${owner.startTime}` };
  }),
  survives(
    "labels of another namespace",
    "names an owner in a pid namespace of its own",
    async () => {
      const { scope } = await ownOwner();
      return { [LABELS.scope]: `${scope.slice(0, scope.indexOf("/"))}/pid:[1]` };
    },
  ),
  {
    name: "pid reuse",
    tries: "makes a later process get the pid of a dead owner, to keep what the owner left",
    mustHappen: "a process is not mistaken for a later one with the same pid",
    run: async () => {
      const later = spawn("sleep", ["30"]);
      await once(later, "spawn");
      closeAtEnd(async () => void later.kill("SIGKILL"));
      const isTaken = await isAlive(later.pid ?? 0, "12345");
      return verdict(isTaken, `pid ${later.pid} with another start time: alive ${isTaken}`);
    },
    control: async () => {
      const later = spawn("sleep", ["30"]);
      await once(later, "spawn");
      closeAtEnd(async () => void later.kill("SIGKILL"));
      return verdict(process.kill(later.pid ?? 0, 0), "kill -0 says that it is alive");
    },
  },
  followsNoLink(
    "link as a lock",
    "replaces a conversation's lock with a symlink to the user's file",
    lockFile,
    (path) => `${path}.lock`,
  ),
  followsNoLink(
    "link as a conversation",
    "replaces a conversation with a symlink to the user's file",
    (path) => writeAtomically(path, "written\n"),
    (path) => path,
  ),
  editorFollowsNoLink(
    product,
    "link as a conversation that the editor writes",
    "replaces a conversation without a host with a symlink to the user's file",
    'mkdir "$1" && ln -s "$2/chat.md" "$1/chat.md"',
  ),
  editorFollowsNoLink(
    product,
    "link as what is renamed over a conversation",
    "puts a symlink where the editor is about to create a temporary file",
    'mkdir "$1" && echo "## You" > "$1/chat.md" && ln -s "$2/chat.md" "$1/chat.md.$3.tmp"',
  ),
  editorFollowsNoLink(
    product,
    "link as the directory of conversations",
    "replaces the directory of conversations with a symlink to the user's directory",
    'ln -s "$2" "$1"',
  ),
  editorFollowsNoLink(
    product,
    "link as a picture",
    "replaces a picture with a symlink to the user's file, to get it copied into the project",
    'mkdir -p "$1/images" && echo "## You" > "$1/chat.md" && ln -s "$2/chat.md" "$1/images/chat-1.png"',
  ),
  {
    name: "state directory",
    tries: "reads and writes conversations and leases beside CODEX_HOME",
    mustHappen: "only CODEX_HOME of the state is there",
    run: async () => {
      const inside = await product();
      return reachState(inside, join(inside.place.state, "projects", "attacked"));
    },
    control: async () => {
      const { inside, state } = await wholeState();
      return reachState(inside, state);
    },
  },
  {
    name: "other users of the machine",
    tries: "reads the state as another user of the machine",
    mustHappen: "only the user can open its directories",
    run: async () => {
      const { place } = await product();
      const state = join(place.state, "projects", "attacked");
      const modes = await Promise.all(
        [state, join(state, "codex-home"), join(state, "leases")].map(
          async (path) => (await stat(path)).mode & 0o077,
        ),
      );
      return verdict(
        modes.some((mode) => mode !== 0),
        `modes for others: ${modes.join(" ")}`,
      );
    },
    control: async () => {
      const dir = join(await freshDir("modes"), "state");
      await mkdir(dir);
      const mode = (await stat(dir)).mode & 0o077;
      return verdict(mode !== 0, `a directory made without a thought: ${mode.toString(8)}`);
    },
  },
  {
    name: "pointer to another repository",
    tries: "leaves a .git file that names another repository, to get it mounted next time",
    mustHappen: "the other repository is not mounted",
    run: async () => {
      const dir = await freshDir("pointer");
      await plantRepository(join(dir, "other"));
      await mkdir(join(dir, "project"));
      await writeFile(join(dir, "project", ".git"), `gitdir: ${join(dir, "other", ".git")}\n`);
      const { mounts } = await gitPointerMounts(join(dir, "project"));
      return verdict(mounts.length > 0, `${mounts.length} mounts`);
    },
    control: async () => {
      const dir = await freshDir("pointer");
      await plantRepository(join(dir, "other"));
      const pointer = `gitdir: ${join(dir, "other", ".git")}\n`;
      const named = pointer.slice("gitdir: ".length).trim();
      return verdict((await lstat(named)).isDirectory(), "who believes it would mount it");
    },
  },
  mountsNoOther(
    "pointer through its own directory",
    "leaves a .git file and a git directory that points back, with another repository as its common one",
    async (root, other) => {
      const own = join(root, "own");
      await mkdir(own);
      await writeFile(join(root, ".git"), `gitdir: ${own}\n`);
      await writeFile(join(own, "gitdir"), `${join(root, ".git")}\n`);
      await writeFile(join(own, "commondir"), `${join(other, ".git")}\n`);
      await writeFile(join(own, "HEAD"), "ref: refs/heads/main\n");
    },
    "own",
  ),
  mountsNoOther(
    "link among the submodules",
    "creates a repository whose submodules' git directories are a symlink to all the user's repositories",
    async (root, other) => {
      await plantRepository(root);
      await symlink(join(other, ".."), join(root, ".git", "modules"));
    },
    ".git/modules/other/.git",
  ),
  {
    name: "link for the next start",
    tries: "leaves .vscode as a symlink to the user's home, to get it mounted next time",
    mustHappen: "the symlink's target is not in the sandbox",
    run: async () => {
      const place = await hostPlace("planted");
      await symlink(place.home, join(place.project, ".vscode"));
      const inside = await fortress(place);
      const { stdout } = await inside.sh("cat .vscode/secret.txt", { cwd: place.project });
      return verdict(stdout.includes(place.secret), stdout || "the link leads nowhere");
    },
    control: async () => {
      // As `docker run -v "$PWD/.vscode:$PWD/.vscode:ro"` does it: the engine follows the link.
      const place = await hostPlace("planted-control");
      const link = join(place.project, ".vscode");
      await symlink(place.home, link);
      const inside = await weakened({
        runtime: "runc",
        weaken: (options) => options,
        readOnly: [link],
      });
      const { stdout } = await inside.sh(`cat ${link}/secret.txt`);
      return verdict(stdout.includes(place.secret), stdout || "the link leads nowhere");
    },
  },
  {
    name: "repository for the next start",
    tries: "creates a repository in which git fetches missing objects with a program that it names",
    mustHappen: "the host's check of what git trusts runs nothing",
    run: () => lookedAt((root) => gitTrustedPaths(root)),
    control: () => lookedAt((root) => git(root, "ls-files", "--stage", "-z")),
  },
  {
    name: "the home as a project",
    tries: "makes a project's directory a symlink to the user's home",
    mustHappen: "the project is refused",
    run: async () => {
      const place = await hostPlace("linked-home");
      const link = join(place.base, "work", "link");
      await symlink(place.home, link);
      const judged = await inspectProject({ root: link, home: place.home, outOfReach: [] });
      return verdict(judged.ok, judged.ok ? "it was accepted" : judged.error.message);
    },
    control: async () => {
      const place = await hostPlace("linked-home");
      const link = join(place.base, "work", "link");
      await symlink(place.home, link);
      const inside = await weakened({
        runtime: "runc",
        weaken: (options) => options,
        mounts: [link],
      });
      const { stdout } = await inside.sh(`cat ${link}/secret.txt`);
      return verdict(stdout.includes(place.secret), `${(await readdir(link)).length} files`);
    },
  },
]);
