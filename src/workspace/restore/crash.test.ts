import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Act, must, RecordedProject } from "../../../test/support/recorded-project.ts";
import { Restorer } from "./index.ts";
import type { Recovered } from "./restore.ts";

const FIRST: readonly Act[] = [
  { do: "write", path: "changed", text: "one\n" },
  { do: "write", path: "private/key", text: "secret\n", mode: 0o600 },
  { do: "write", path: "renamed", text: "a\nb\nc\nd\n" },
  { do: "write", path: "swapped", text: "a file\n" },
  { do: "write", path: "tree/deep/er", text: "was a directory\n" },
  { do: "link", path: "link", target: "changed" },
  { do: "mkdir", path: "empty/dir" },
];

const AGENT: readonly Act[] = [
  { do: "edit", path: "changed", line: "two\n", top: false },
  { do: "remove", path: "private" },
  { do: "rename", path: "renamed", to: "new/name" },
  { do: "remove", path: "swapped" },
  { do: "write", path: "swapped/now", text: "in a directory\n" },
  { do: "remove", path: "tree" },
  { do: "write", path: "tree", text: "is a file\n" },
  { do: "link", path: "link", target: "gone" },
  { do: "remove", path: "empty" },
  { do: "write", path: "made/by/agent", text: "x\n", mode: 0o755 },
];

/** The program that takes it back, as one file. */
function bundled(): string {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-killed-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const outfile = join(dir, "program.mjs");
  const entry = fileURLToPath(new URL("../../../test/support/killed-restore.ts", import.meta.url));
  const how = { bundle: true, platform: "node", format: "esm", target: "node20" } as const;
  const banner = `import { createRequire } from "node:module"; const require = createRequire("/");`;
  buildSync({ entryPoints: [entry], outfile, banner: { js: banner }, ...how });
  return outfile;
}

/** A project after a turn, and the trees from before and after it. */
async function afterTurn() {
  const project = new RecordedProject();
  for (const act of FIRST) project.act(act);
  const [before, one] = [project.tree(), await project.take()];
  for (const act of AGENT) project.act(act);
  const [after, other] = [project.tree(), await project.take()];
  return { project, before, after, one, other };
}

type Turn = Awaited<ReturnType<typeof afterTurn>>;

function restoreIn(program: string, { project, one, other }: Turn, at: number, signal: string) {
  const { root, dir } = project;
  const args = [program, root, dir, one.commit, other.commit, String(at), signal];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

async function recovered(project: RecordedProject): Promise<readonly Recovered[]> {
  const found: Recovered[] = [];
  // Two hosts that start at the same time.
  const hosts = [0, 1].map(() => new Restorer(project.root, project.open(), project.dir));
  const done = await Promise.all(
    hosts.map((host) => host.recover(async (each) => void found.push(each))),
  );
  for (const each of done) must(each);
  return found;
}

describe("a host that is killed while it takes a change back", { timeout: 240_000 }, () => {
  it("leaves the tree as before or, once another one has started, as after it, and says which", async () => {
    const program = bundled();
    const whole = await afterTurn();
    const child = restoreIn(program, whole, -1, "SIGKILL");
    const [out] = await once(child.stdout, "data");
    const count = Number(String(out));
    expect(whole.project.tree()).toEqual(whole.before);
    // Most of the moments are alike; all of them are tried by `STEPS=1`.
    const step = Number(process.env["STEPS"] ?? Math.ceil(count / 9));
    let completed = 0;
    for (let at = 0; at < count; at += step) {
      const turn = await afterTurn();
      const killed = restoreIn(program, turn, at, "SIGKILL");
      expect(await once(killed, "exit")).toEqual([null, "SIGKILL"]);
      const { project } = turn;
      const found = await recovered(project);
      const isRecorded = found.length > 0 || existsSync(join(project.dir, "recorded"));
      expect(project.tree(), `killed at ${at} of ${count}`).toEqual(
        isRecorded ? turn.before : turn.after,
      );
      completed += found.length;
      for (const each of found)
        expect(each).toMatchObject({ title: "taking it back", note: { turn: 3 }, conflicts: [] });
      expect(await recovered(project)).toEqual([]);
      execFileSync("rm", ["-rf", project.base]);
    }
    expect(completed).toBeGreaterThan(0);
  });

  it("is left alone while it lives", async () => {
    const program = bundled();
    const whole = await afterTurn();
    const counted = restoreIn(program, whole, -1, "SIGKILL");
    const count = Number(String((await once(counted.stdout, "data"))[0]));
    const turn = await afterTurn();
    const stopped = restoreIn(program, turn, Math.floor(count / 2), "SIGSTOP");
    onTestFinished(() => void stopped.kill("SIGKILL"));
    const journal = join(turn.project.dir, "journal");
    const isStopped = () => execFileSync("ps", ["-o", "stat=", String(stopped.pid)]).toString()[0];
    await expect.poll(isStopped).toBe("T");
    const half = turn.project.tree();
    expect(await recovered(turn.project)).toEqual([]);
    expect(turn.project.tree()).toEqual(half);
    expect(await readdir(journal)).toHaveLength(1);
    stopped.kill("SIGKILL");
    await once(stopped, "exit");
    expect(await recovered(turn.project)).toHaveLength(1);
    expect(turn.project.tree()).toEqual(turn.before);
    expect(await readdir(journal)).toEqual([]);
  });

  it("has a file that was changed since left as it is, and the rest completed", async () => {
    const program = bundled();
    const whole = await afterTurn();
    const counted = restoreIn(program, whole, -1, "SIGKILL");
    const count = Number(String((await once(counted.stdout, "data"))[0]));
    const turn = await afterTurn();
    const killed = restoreIn(program, turn, Math.floor(count / 3), "SIGKILL");
    await once(killed, "exit");
    const { project } = turn;
    project.act({ do: "write", path: "made/by/agent", text: "mine\n" });
    const [found] = await recovered(project);
    expect(found?.conflicts).toMatchObject([{ path: "made/by/agent", why: "just_now" }]);
    const { "made/by/agent": mine, ...rest } = project.tree();
    expect(mine).toBe("644 mine\n");
    expect(rest).toEqual({ ...turn.before, made: "directory", "made/by": "directory" });
  });
});
