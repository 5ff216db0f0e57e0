import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { must, never, RecordedProject } from "../../../test/support/recorded-project.ts";
import type { Checkpoints } from "./index.ts";

const DAY = 24 * 3_600_000;
const HOUR = 3_600_000;

/** A project whose clock the test sets. */
class TimedProject extends RecordedProject {
  nowMs = Date.now();
  readonly host: Checkpoints;

  constructor() {
    super();
    this.host = this.timed();
  }

  timed(): Checkpoints {
    return this.open({ now: () => this.nowMs, bounds: { racyMs: -1000 } });
  }

  /** A checkpoint with this content in one file, so many days ago. */
  async recorded(text: string, daysAgo: number, host = this.host): Promise<string> {
    const now = this.nowMs;
    this.nowMs = now - daysAgo * DAY;
    this.act({ do: "write", path: "file", text });
    const { commit } = must(await host.take({ signal: never() }));
    this.nowMs = now;
    return commit;
  }

  async prune(keep: readonly string[] = [], more: object = {}): Promise<void> {
    must(await this.host.prune({ keep: new Set(keep), ...more }));
  }

  /** Has two hours pass for the repository as well: its objects are as old as that. */
  later(): void {
    this.nowMs += 2 * HOUR;
    const old = new Date(Date.now() - 3 * HOUR);
    const objects = join(this.dir, "objects");
    for (const name of readdirSync(objects, { recursive: true, encoding: "utf8" }))
      utimesSync(join(objects, name), old, old);
  }

  has(commit: string): boolean {
    try {
      this.git("cat-file", "-e", `${commit}:files/file`);
      return true;
    } catch {
      return false;
    }
  }

  used(): number {
    return this.git("for-each-ref", "refs/checkpoints/").split("\n").length - 1;
  }

  git(...args: readonly string[]): string {
    return execFileSync("git", ["--git-dir", this.dir, ...args], {
      ...{ encoding: "latin1", stdio: ["ignore", "pipe", "ignore"] },
    });
  }
}

describe("pruning", () => {
  it("removes what is older than thirty days, two hours after it was last in use", async () => {
    const project = new TimedProject();
    const old = await project.recorded("old", 31);
    const young = await project.recorded("young", 29);
    const last = await project.recorded("last", 0);
    await project.prune();
    expect(project.used()).toBe(2);
    expect([old, young, last].map((each) => project.has(each))).toEqual([true, true, true]);
    await project.prune();
    expect(project.has(old)).toBe(true);
    project.later();
    await project.prune();
    expect([old, young, last].map((each) => project.has(each))).toEqual([false, true, true]);
  });

  it("keeps what is named, and brings back what is named again in time", async () => {
    const project = new TimedProject();
    const [kept, again] = [await project.recorded("kept", 40), await project.recorded("again", 39)];
    await project.recorded("last", 0);
    await project.prune([kept]);
    expect(project.used()).toBe(2);
    project.later();
    await project.prune([kept, again]);
    expect(project.used()).toBe(3);
    project.later();
    await project.prune([kept, again]);
    expect([kept, again].map((each) => project.has(each))).toEqual([true, true]);
  });

  it("keeps the newest one however old it is", async () => {
    const project = new TimedProject();
    const only = await project.recorded("only", 400);
    await project.prune([], { maxBytes: 0 });
    project.later();
    await project.prune([], { maxBytes: 0 });
    expect(project.has(only)).toBe(true);
  });

  it("keeps as many of the newest as fit, and those that are named", async () => {
    const project = new TimedProject();
    const commits: string[] = [];
    // Random, so that git cannot make it smaller.
    for (let n = 6; n > 0; n -= 1)
      commits.push(await project.recorded(randomBytes(50_000).toString("latin1"), n / 10));
    const [first = ""] = commits;
    await project.prune([first], { maxBytes: 175_000 });
    project.later();
    await project.prune([first], { maxBytes: 175_000 });
    expect(commits.map((each) => project.has(each))).toEqual([
      ...[true, false, false, false, true, true],
    ]);
  });

  it("packs many small objects, and leaves all checkpoints as they were", async () => {
    const project = new TimedProject();
    const commits: string[] = [];
    for (let n = 0; n < 4; n += 1) commits.push(await project.recorded(`text ${n}`, 0));
    await project.prune([], { maxLoose: 5 });
    expect(project.git("count-objects")).toMatch(/^0 objects/);
    expect(commits.every((each) => project.has(each))).toBe(true);
    // On top of one whose name is packed by now.
    const next = await project.recorded("next", 0);
    expect(project.has(next)).toBe(true);
    expect(
      (await project.compare({ commit: commits[3] ?? "" }, { commit: next })).files,
    ).toHaveLength(1);
  });

  it("is not in the way of another host, which goes on with what it has built on", async () => {
    const project = new TimedProject();
    const other = project.timed();
    project.act({ do: "write", path: "shared", text: "in every checkpoint\n" });
    const base = await project.recorded("of the other host", 35, other);
    project.act({ do: "remove", path: "shared" });
    await project.recorded("of this host", 0);
    project.act({ do: "write", path: "shared", text: "in every checkpoint\n" });
    await project.prune();
    project.later();
    await project.prune();
    expect(project.has(base)).toBe(false);
    // Its last checkpoint is gone, and so is the content of the file that has not changed since.
    const next = await project.recorded("of the other host again", 0, other);
    expect(project.git("cat-file", "blob", `${next}:files/shared`)).toBe("in every checkpoint\n");
  });

  it("does not have a host give a checkpoint again that was removed", async () => {
    const project = new TimedProject();
    const other = project.timed();
    const base = await project.recorded("the same", 35, other);
    await project.recorded("another", 0);
    await project.prune();
    project.later();
    await project.prune();
    expect(project.has(base)).toBe(false);
    expect(project.has(await project.recorded("the same", 0, other))).toBe(true);
  });

  it("leaves the files of a git that is running, and removes those of one that died", async () => {
    const project = new TimedProject();
    await project.recorded("a", 0);
    const packs = join(project.dir, "objects/pack");
    mkdirSync(join(project.dir, "merge-dead"));
    for (const path of ["tmp_pack_dead", "tmp_pack_running", "pack-dead.keep"])
      writeFileSync(join(packs, path), "x");
    writeFileSync(join(project.dir, "fast_import_crash_1"), "x");
    const old = new Date(Date.now() - 3 * HOUR);
    for (const path of ["tmp_pack_dead", "pack-dead.keep", "../../merge-dead"])
      utimesSync(join(packs, path), old, old);
    await project.prune([], { maxLoose: 0 });
    expect(existsSync(join(packs, "tmp_pack_running"))).toBe(true);
    for (const path of ["tmp_pack_dead", "pack-dead.keep", "../../merge-dead"])
      expect(existsSync(join(packs, path))).toBe(false);
    expect(existsSync(join(project.dir, "fast_import_crash_1"))).toBe(false);
  });
});
