/**
 * Checkpoints and undo: to have the host run something, read something outside of the project, or write
 * there, when it records the project or changes it back. The controls do the same as a program does that
 * uses git and paths as they come.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { type Checkpoint, Checkpoints, reversed } from "../src/workspace/checkpoints/index.ts";
import { Restorer } from "../src/workspace/restore/index.ts";
import { must } from "../test/support/recorded-project.ts";
import { type Attempt, attempt, group, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import { freshDir, git, type HostPlace, hostPlace } from "./support/places.ts";

/** A project, something that runs in it as the attacker, and a way to record it and to take back. */
type Target = {
  readonly place: HostPlace;
  /** A file that only a program which runs on the host can make. */
  readonly mark: string;
  /** Runs a script in the project; `$1` is the user's home, `$2` makes the mark. */
  readonly attack: (script: string) => Promise<unknown>;
  /** Runs one until what it gives is called. */
  readonly keepAttacking: (script: string) => Promise<() => Promise<void>>;
  readonly record: () => Promise<unknown>;
  /** All that was recorded, as git keeps it. */
  readonly recorded: () => Promise<string>;
  /** Has a file in the project be as it was before the attack, if it can. */
  readonly restore: (path: string, was: string, is: string) => Promise<unknown>;
  /** How often a race is tried. The control's attempts are over at once. */
  readonly rounds: number;
};

const never = new AbortController().signal;

async function product(): Promise<Target> {
  const place = await hostPlace("checkpoints");
  const mark = join(await freshDir("mark"), "mark");
  const inside = await fortress(place);
  const args = [place.home, `touch ${mark}`];
  const dir = join(place.state, "checkpoints");
  const root = place.project;
  const checkpoints = new Checkpoints({ root, dir, excludes: async () => "", foreign: () => [] });
  const restorer = new Restorer(root, checkpoints, dir);
  const taken: Checkpoint[] = [];
  return {
    ...{ place, mark, rounds: 8 },
    attack: (script) => inside.sh(script, { cwd: root, args }),
    keepAttacking: async (script) => {
      const argv: [string, ...string[]] = [
        "sh",
        "-c",
        `while :; do ${script}; done`,
        "sh",
        ...args,
      ];
      const process = await inside.start({ argv, cwd: root });
      process.stdout.resume();
      process.stderr.resume();
      return async () => {
        process.kill();
        await process.exited;
      };
    },
    record: async () => {
      const done = await checkpoints.take({ signal: never });
      if (done.ok) taken.push(done.value);
    },
    recorded: () => allContents(dir),
    restore: async () => {
      const [first] = taken;
      const last = taken.at(-1);
      if (first === undefined || last === undefined) throw new Error("nothing was recorded");
      const set = must(await checkpoints.compare(first.commit, last.commit));
      for (const each of [reversed(set), set])
        await restorer.change({
          ...{ title: "an attack", sets: [each], note: null, record: async () => {} },
          signal: never,
        });
    },
  };
}

/** Git with the project as its work tree, and files by their paths. */
async function control(): Promise<Target> {
  const place = await hostPlace("checkpoints-control");
  const mark = join(await freshDir("mark"), "mark");
  const dir = join(place.state, "naive");
  await git(place.base, "init", "-q", "--bare", dir);
  const cwd = place.project;
  const shell = (script: string) => ["-c", script, "sh", place.home, `touch ${mark}`];
  return {
    ...{ place, mark, rounds: 20_000 },
    attack: (script) => execa("sh", shell(script), { cwd, reject: false }),
    keepAttacking: async (script) => {
      const running = execa("sh", shell(`while :; do ${script}; done`), { cwd, reject: false });
      return async () => {
        running.kill("SIGKILL");
        await running;
      };
    },
    record: async () => {
      // What lies in a nested repository is that repository's to list.
      const nested = join(cwd, "nested");
      if (existsSync(nested)) await git(nested, "status");
      const files = await readdir(cwd, { recursive: true, encoding: "utf8" }).catch(() => []);
      for (const path of files.filter((each) => !each.includes(".git"))) {
        const content = await readFile(join(cwd, path), "latin1").catch(() => undefined);
        if (content === undefined) continue;
        const input = [
          ...["blob", "mark :1", `data ${content.length}`, content],
          ...["commit refs/heads/main", "committer c <c> 0 +0000", "data 0"],
          ...[`M 100644 :1 ${path}`, ""],
        ].join("\n");
        const args = ["--git-dir", dir, "fast-import", "--quiet", "--force"];
        await execa("git", args, { input, reject: false });
      }
    },
    recorded: () => allContents(dir),
    restore: async (path, was, is) => {
      for (const text of [was, is]) await writeFile(join(cwd, path), text).catch(() => {});
    },
  };
}

async function allContents(dir: string): Promise<string> {
  const all = ["cat-file", "--batch-all-objects", "--batch", "--unordered"];
  const { stdout } = await execa("git", ["--git-dir", dir, ...all], {
    ...{ reject: false, encoding: "latin1", maxBuffer: 1024 ** 3 },
  });
  return stdout;
}

function strikes(
  what: Pick<Attempt, "name" | "tries" | "mustHappen">,
  strike: (target: Target) => ReturnType<Attempt["run"]>,
): Attempt {
  return attempt<Target>({ ...what, strike, product, control });
}

/** A directory is now itself, with a file of this text, and now a link to the user's home. */
const SWAP = `mv d e && ln -s "$1" d && rm d && mv e d`;

group("checkpoints", [
  strikes(
    {
      name: "repository in the project",
      tries: "leaves a repository whose settings name programs, and attributes that choose them",
      mustHappen: "recording the project runs nothing of the attacker's",
    },
    async ({ attack, record, mark }) => {
      await attack(`
        git init -q nested && cd nested && printf '* filter=evil\\n' > .gitattributes && echo x > x
        for key in core.fsmonitor filter.evil.clean filter.evil.process; do git config $key "$2; :"; done
        mkdir -p .git/hooks; for hook in post-index-change reference-transaction; do
          printf '#!/bin/sh\\n%s\\n' "$2" > .git/hooks/$hook; chmod +x .git/hooks/$hook; done`);
      await record();
      const ran = existsSync(mark);
      return verdict(ran, ran ? "it ran on the host" : "nothing ran");
    },
  ),
  strikes(
    {
      name: "link out of the project",
      tries: "leaves links to a file and a directory of the user's",
      mustHappen: "nothing of the user's is recorded",
    },
    async ({ attack, record, recorded, place }) => {
      await attack(`ln -s "$1/secret.txt" file; ln -s "$1" home; echo mine > own`);
      await record();
      const text = await recorded();
      if (!text.includes("mine")) throw new Error("the project was not recorded");
      const leaked = text.includes(place.secret);
      return verdict(leaked, leaked ? "the secret is recorded" : "the links are, as links");
    },
  ),
  strikes(
    {
      name: "directory that becomes a link",
      tries: "swaps a directory for a link to the user's home again and again while it is recorded",
      mustHappen: "nothing of the user's is recorded",
    },
    async ({ attack, keepAttacking, record, recorded, place, rounds }) => {
      await attack(`mkdir d; echo mine > d/secret.txt`);
      await record();
      const stop = await keepAttacking(SWAP);
      let leaked = false;
      for (let round = 0; round < rounds && !leaked; round += 1) {
        await writeFile(join(place.project, "round"), String(round));
        await record();
        leaked = (await recorded()).includes(place.secret);
      }
      await stop();
      return verdict(leaked, leaked ? "the secret is recorded" : "it is not recorded");
    },
  ),
  strikes(
    {
      name: "link while a change is taken back",
      tries: "swaps the file's directory for a link to the user's home while the file is written",
      mustHappen: "the user's file is as it was",
    },
    async ({ attack, keepAttacking, record, restore, place, rounds }) => {
      await mkdir(join(place.project, "d"));
      const victim = join(place.home, "notes");
      await writeFile(victim, "the attacker's\n");
      await writeFile(join(place.project, "d/notes"), "before\n");
      await record();
      await attack(`printf "the attacker's\\n" > d/notes`);
      await record();
      const stop = await keepAttacking(SWAP);
      for (let round = 0; round < rounds; round += 1) {
        await restore("d/notes", "before\n", "after\n");
        if (readFileSync(victim, "utf8") !== "the attacker's\n") break;
      }
      await stop();
      const text = readFileSync(victim, "utf8");
      return verdict(text !== "the attacker's\n", `it has ${JSON.stringify(text)}`);
    },
  ),
  strikes(
    {
      name: "name that is a command",
      tries: "names a file so that the rest of its name is a command of fast-import",
      mustHappen: "the name is a name",
    },
    async ({ attack, record, recorded }) => {
      await attack(`echo x > "$(printf 'x\\nM 100644 inline planted\\ndata 8\\nplanted!\\n#')"`);
      await record();
      const planted = (await recorded()).includes(" blob 8\nplanted!");
      return verdict(planted, planted ? "the content is planted" : "it is the name of a file");
    },
  ),
]);
