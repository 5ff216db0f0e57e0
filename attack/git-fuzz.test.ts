/**
 * Random projects: repositories of every kind in directories of odd names, with settings, links and
 * modes. A program that spoils all it can write runs in two sandboxes one after the other. The
 * user's git then runs nothing of it anywhere, or the sandbox was not started.
 *
 * More of them: `CODEX_CHAT_FUZZ_RUNS=100 npm run attack -- git-fuzz`.
 */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect } from "vitest";
import { group, verdict } from "./catalogue.ts";
import { guardedLayout, type Layout, SPOIL, unguardedLayout, useGitIn } from "./support/layouts.ts";
import { git, plantRepository } from "./support/places.ts";

const RUNS = Number(process.env["CODEX_CHAT_FUZZ_RUNS"] ?? 5);

const NAMES = ["a", "tools", "a b", "ünï", "it's", "$HOME", "deep/er/est", ".hidden", "x.git"];

/** What is in a project, one after the other; numbers choose among what is there already. */
type Step =
  | { readonly make: "repository" | "bare" | "separate"; readonly at: string }
  | { readonly make: "worktree" | "submodule"; readonly of: number; readonly at: string }
  | { readonly make: "setting"; readonly of: number; readonly is: Setting }
  | { readonly make: "link"; readonly at: string; readonly to: string };

/** A setting, and a file that it names or that lies in the directory that it names. */
type Setting = readonly [key: string, value: string, file: string];

/** `TOP` stands for the work tree. */
const SETTINGS: readonly Setting[] = [
  ["core.hooksPath", "my hooks", "my hooks/README"],
  ["core.hooksPath", "TOP/hooks", "hooks/README"],
  ["core.fsmonitor", "./fs/monitor.sh", "fs/monitor.sh"],
  ["core.fsmonitor", '"$(git rev-parse --show-toplevel)/fs/monitor.sh"', "fs/monitor.sh"],
  ["filter.x.clean", "sh TOP/fs/clean.sh", "fs/clean.sh"],
  ["filter.x.clean", "cd fs && ./clean.sh", "fs/clean.sh"],
  ["include.path", "TOP/conf/more.gitconfig", "conf/more.gitconfig"],
  ["core.attributesFile", "TOP/conf/attributes", "conf/attributes"],
  ["diff.x.textconv", "python3 fs/conv", "fs/conv.py"],
  ["core.pager", "PAGER=fs/page.sh sh -c fs/page.sh", "fs/page.sh"],
];

const name = fc.constantFrom(...NAMES);
const path = fc.array(name, { minLength: 1, maxLength: 2 }).map((names) => names.join("/"));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    make: fc.constantFrom("repository" as const, "bare" as const, "separate" as const),
    at: path,
  }),
  fc.record({
    make: fc.constantFrom("worktree" as const, "submodule" as const),
    of: fc.nat(5),
    at: path,
  }),
  fc.record({
    make: fc.constant("setting" as const),
    of: fc.nat(5),
    is: fc.constantFrom(...SETTINGS),
  }),
  fc.record({ make: fc.constant("link" as const), at: path, to: path }),
);
const project = fc.record({
  isRepository: fc.boolean(),
  steps: fc.array(step, { minLength: 2, maxLength: 6 }),
  closed: fc.record({ at: name, mode: fc.constantFrom("0000", "0111", "0444", "0755") }),
});

type RandomProject = {
  readonly isRepository: boolean;
  readonly steps: readonly Step[];
  readonly closed: { readonly at: string; readonly mode: string };
};

async function put(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, "#!/bin/sh\nexit 1\n", { mode: 0o755, flag: "wx" }).catch(() => {});
}

/** Lays a project out; a step that is not possible there is left out. */
function layoutOf({ isRepository, steps }: Omit<RandomProject, "closed">): Layout {
  return async (root, other) => {
    await plantRepository(other);
    const usedIn: string[] = [];
    if (isRepository) {
      await plantRepository(root);
      usedIn.push(".");
    }
    for (const step of steps) await take(step, root, other, usedIn).catch(() => {});
    // A project without any repository has nothing to attack.
    if (usedIn.length === 0) {
      await plantRepository(join(root, "only"));
      usedIn.push("only");
    }
    return usedIn;
  };
}

async function take(step: Step, root: string, other: string, usedIn: string[]): Promise<void> {
  if ("at" in step && usedIn.includes(step.at)) return;
  const owner = "of" in step ? usedIn[step.of % usedIn.length] : ".";
  if (owner === undefined) return;
  const top = join(root, owner);
  const at = "at" in step ? join(root, step.at) : root;
  await mkdir(dirname(at), { recursive: true });
  switch (step.make) {
    case "repository":
      await plantRepository(at);
      break;
    case "bare":
      await git(root, "clone", "-q", "--bare", other, at);
      break;
    case "separate":
      await mkdir(at);
      await git(at, "init", "-q", "-b", "main", "--separate-git-dir", `${at}.data`);
      await git(at, "commit", "-q", "--allow-empty", "-m", "first");
      break;
    case "worktree":
      await git(top, "worktree", "add", "-q", "-b", `side-${usedIn.length}`, at);
      break;
    case "submodule":
      await git(top, "-c", "protocol.file.allow=always", "submodule", "add", other, step.at);
      await git(top, "commit", "-q", "-am", "submodule");
      return;
    case "setting": {
      const [key, value, file] = step.is;
      await put(join(top, file));
      await git(top, "config", key, value.replaceAll("TOP", top));
      return;
    }
    case "link":
      await symlink(join(root, step.to), at);
      return;
  }
  usedIn.push(step.at);
}

/** The project is opened, spoiled, closed in part, opened again and spoiled again. */
async function holds(drawn: RandomProject): Promise<"held" | "refused"> {
  const target = await guardedLayout(layoutOf(drawn))().catch(refusedOnly);
  if (target === undefined) return "refused";
  try {
    const strike = (script: string) => target.sh(`cd "$2" || exit; ${script}`);
    await strike(SPOIL);
    expect(await useGitIn(target)).toMatchObject({ fell: false });
    await strike(`chmod ${drawn.closed.mode} '${drawn.closed.at.replaceAll("'", "'\\''")}'`);
    await target.reopen();
    await strike(SPOIL);
    expect(await useGitIn(target)).toMatchObject({ fell: false });
    return "held";
  } catch (thrown) {
    refusedOnly(thrown);
    expect(await useGitIn(target)).toMatchObject({ fell: false });
    return "refused";
  } finally {
    await target.close();
  }
}

/** Undefined for a refusal to start; anything else is thrown on. */
function refusedOnly(thrown: unknown): undefined {
  if (!(thrown as Error).message.includes("gets no access to")) throw thrown;
  return undefined;
}

group(
  "random projects",
  [
    {
      name: "random layouts",
      tries: "spoils random layouts of git, links, names and modes, in two sandboxes",
      mustHappen: "nothing from the attacker runs on the host, or the sandbox is not started",
      run: async () => {
        let refused = 0;
        const property = fc.asyncProperty(project, async (drawn) => {
          if ((await holds(drawn)) === "refused") refused++;
        });
        await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
        // If most were refused, the others would prove little.
        expect(refused).toBeLessThan(Math.max(RUNS / 2, 3));
        return verdict(false, `${RUNS} projects, of which ${refused} were refused`);
      },
      control: async () => {
        const steps: Step[] = [{ make: "repository", at: "a" }];
        const target = await unguardedLayout(layoutOf({ isRepository: true, steps }))();
        await target.sh(`cd "$2" || exit; ${SPOIL}`);
        return useGitIn(target);
      },
    },
  ],
  60_000 + RUNS * 30_000,
);
