/** A git that does not answer, wherever the host asks it about commits. */

import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { failingGit, GIT_FAILURES, whenAsked } from "../../../test/support/failing-git.ts";
import { listCommits } from "./commits.ts";
import { exportRefs, isAncestor, isSameContent } from "./export-refs.ts";
import { readRecord, writeRecord } from "./record.ts";
import { readRefs } from "./refs.ts";
import { inspectRepository, type Repository, ScratchRepository } from "./repository/index.ts";
import { SandboxGit } from "./sandbox-git.ts";

const KILLED = GIT_FAILURES["was killed"];

let base = "";
let real = "";
let agents = "";
let repository: Repository;
let first = "";

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
  const env = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
  return (await execa("git", [...identity, ...args], { cwd, env })).stdout;
}

async function inspected() {
  const gitDir = join(real, ".git");
  return inspectRepository({
    root: real,
    gitDir,
    commonDir: gitDir,
    readable: [],
    env: process.env,
  });
}

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-failing-")));
  [real, agents] = [join(base, "real"), join(base, "agents")];
  await git(base, "init", "-q", "-b", "main", real);
  await git(real, "commit", "-q", "--allow-empty", "-m", "first");
  first = await git(real, "rev-parse", "HEAD");
  await git(base, "clone", "-q", real, agents);
  await git(agents, "commit", "-q", "--allow-empty", "-m", "the agent's");
  const found = await inspected();
  if (!found.ok) throw new Error(found.error);
  repository = found.value;
});
afterAll(() => rm(base, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

function makeScratch() {
  return ScratchRepository.make({ parent: base, objects: repository.objects[0], format: "sha1" });
}

/** Brings the agent's commits over, packed by the real git. */
async function brought(path: string | undefined) {
  const tip = await git(agents, "rev-parse", "HEAD");
  const { stdout: pack } = await execa("git", ["pack-objects", "--revs", "--stdout", "-q"], {
    cwd: agents,
    input: `${tip}\n`,
    encoding: "buffer",
  });
  const stdout = Readable.from([pack]);
  const inside = new SandboxGit(
    async () => ({
      ok: true,
      value: {
        stdin: new PassThrough().resume(),
        stdout,
        stderr: Readable.from([]),
        exited: Promise.resolve({ exitCode: 0 }),
        kill: () => stdout.destroy(),
      },
    }),
    "/private",
  );
  const [own, users] = [await readRefs(join(agents, ".git")), await readRefs(join(real, ".git"))];
  if (path !== undefined) vi.stubEnv("PATH", path);
  const seen = new Set<string>();
  return exportRefs({ repository, inside, scratchDir: base, real: users, own, seen, chat: "chat" });
}

describe("a git that does not answer", () => {
  it.each(Object.entries(GIT_FAILURES))(
    "gives no answer on whether a commit follows another if it %s",
    async (_how, failure) => {
      await using scratch = await makeScratch();
      expect(await isAncestor(scratch, first, first)).toEqual({ ok: true, value: true });
      vi.stubEnv("PATH", await failingGit(base, failure));
      expect((await isAncestor(scratch, first, first)).ok).toBe(false);
      expect((await isSameContent(scratch, first, first)).ok).toBe(false);
      expect((await inspected()).ok).toBe(false);
    },
  );

  it("is not mistaken for one that reports a missing commit", async () => {
    await using scratch = await makeScratch();
    const absent = "1".repeat(40);
    expect(await isAncestor(scratch, absent, first)).toEqual({ ok: true, value: false });
    expect(await isSameContent(scratch, absent, first)).toEqual({ ok: true, value: false });
  });

  it.each(["rev-list --count", "log -1", "merge-base", "count-objects"])(
    "is not mistaken for one without new commits: %s",
    async (words) => {
      const path = await failingGit(base, KILLED, whenAsked(words));
      expect(await brought(path)).toMatchObject({ ok: false });
    },
  );

  it("neither empties a conversation's list of commits nor marks them all as taken", async () => {
    const done = await brought(undefined);
    expect(done).toMatchObject({ ok: true, value: { deliveries: [{ count: 1 }] } });
    const gitDir = join(real, ".git");
    const stateDir = join(base, "state");
    await mkdir(join(stateDir, "git"), { recursive: true });
    const path = join(stateDir, "git/record.json");
    const chats = { thread: { name: "chat", since: first } };
    await writeRecord(path, { ...(await readRecord(path, "x")), chats });
    const where = { root: real, gitDir, commonDir: gitDir, readable: [], stateDir };
    const list = () => listCommits({ ...where, env: process.env }, "thread");
    expect(await list()).toMatchObject({
      ok: true,
      value: [{ subject: "the agent's", isTaken: false }],
    });
    vi.stubEnv("PATH", await failingGit(base, KILLED, whenAsked("log --max-count=200")));
    expect((await list()).ok).toBe(false);
  });
});
