import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type AuditOptions, openAudit } from "./audit.ts";
import { MAX_SET_ASIDE } from "./log-file.ts";
import { PER_MINUTE } from "./rate-limit.ts";
import { auditLine, MAX_LINE_BYTES } from "./serialize.ts";

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-audit-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function open(options: Partial<AuditOptions> = {}) {
  const path = options.path ?? join(directory(), "project", "audit.jsonl");
  const problems: string[] = [];
  const audit = openAudit({ onProblem: (message) => problems.push(message), ...options, path });
  return { audit, path, problems };
}

function linesOf(path: string): Record<string, unknown>[] {
  const text = readFileSync(path, "utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const EVENTS = "command patch approval network self_test protected_file credential sandbox".split(
  " ",
);

const command = (text: string) =>
  ({ event: "command", command: text, status: "completed" }) as const;

describe("an audit log", () => {
  it("writes one line per entry, in order, readable by its owner alone", async () => {
    const { audit, path, problems } = open({ now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) });
    audit.record({ event: "sandbox", action: "started", container: "c1" });
    audit.record({ ...command("make\ntest"), thread: "t1", exitCode: 0 });
    await audit.close();
    expect(linesOf(path)).toEqual([
      {
        time: "2026-01-02T03:04:05.006Z",
        pid: process.pid,
        event: "sandbox",
        action: "started",
        container: "c1",
      },
      {
        time: "2026-01-02T03:04:05.006Z",
        pid: process.pid,
        event: "command",
        command: "make\ntest",
        status: "completed",
        thread: "t1",
        exitCode: 0,
      },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(problems).toEqual([]);
  });

  it("removes other users' read permission from an existing file", async () => {
    const path = join(directory(), "audit.jsonl");
    writeFileSync(path, "");
    chmodSync(path, 0o644);
    const { audit } = open({ path });
    audit.record(command("ls"));
    await audit.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["commands", { event: "command", status: "completed" }],
    ["refusals", { event: "network", decision: "refused", host: "x".repeat(900), port: 1 }],
    [
      "commands in letters of three bytes",
      { event: "command", status: "completed", command: "漢".repeat(900) },
    ],
  ] as const)(
    "keeps only a limited number of lines per minute of a flood of %s, and says so",
    async (_, kind) => {
      let now = 0;
      const { audit, path } = open({ now: () => now });
      for (let n = 0; n < 100_000; n++)
        audit.record({ command: "x".repeat(5000), ...kind } as never);
      audit.record({ event: "self_test", passed: true, runtime: "runsc" });
      now = 61_000;
      audit.record(command("later"));
      await audit.close();
      const lines = linesOf(path);
      const kept = lines.filter(
        (line) => line["event"] === kind.event && line["command"] !== "later",
      );
      expect(statSync(path).size).toBeLessThan(PER_MINUTE.bytes + 2000);
      expect(lines.slice(kept.length)).toEqual([
        expect.objectContaining({ event: "self_test" }),
        expect.objectContaining({
          event: "left_out",
          of: kind.event,
          lines: 100_000 - kept.length,
        }),
        expect.objectContaining({ command: "later" }),
      ]);
    },
  );

  it("loses and splits no line when two processes write and files are rotated", async () => {
    const path = join(directory(), "audit.jsonl");
    let now = 0;
    const options = { path, maxFileBytes: 25_000, now: () => now };
    const [one, two] = [open(options), open(options)];
    const said: string[] = [];
    for (let n = 0; n < 300; n++) {
      now += 61_000;
      one.audit.record(command(`one ${n}`));
      two.audit.record(command(`two ${n}`));
      said.push(`one ${n}`, `two ${n}`);
      if (n % 10 === 0) await new Promise(setImmediate);
    }
    await Promise.all([one.audit.close(), two.audit.close()]);
    const names = readdirSync(join(path, ".."));
    expect(names.length).toBeGreaterThan(1);
    const all = names.flatMap((name) => linesOf(join(path, "..", name)));
    expect(all.map((line) => line["command"]).sort()).toEqual(said.sort());
    expect([...one.problems, ...two.problems]).toEqual([]);
  });

  it("keeps only the last few rotated files", async () => {
    const path = join(directory(), "audit.jsonl");
    for (let n = 0; n < 12; n++) {
      const { audit } = open({ path, maxFileBytes: 1 });
      audit.record(command(`${n}`));
      await audit.close();
      // Files that are rotated within the same millisecond have no defined order.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const names = readdirSync(join(path, ".."));
    expect(names).toHaveLength(MAX_SET_ASIDE + 1);
    const all = names.flatMap((name) => linesOf(join(path, "..", name)));
    expect(all.map((line) => line["command"]).sort()).toEqual(["10", "11", "7", "8", "9"]);
  });

  it("does not follow a symbolic link at its path", async () => {
    const dir = directory();
    const target = join(dir, "target");
    writeFileSync(target, "mine\n");
    symlinkSync(target, join(dir, "audit.jsonl"));
    const { audit, problems } = open({ path: join(dir, "audit.jsonl") });
    audit.record(command("ls"));
    await audit.close();
    expect(readFileSync(target, "utf8")).toBe("mine\n");
    expect(problems).toHaveLength(1);
  });

  it("does not block on a pipe at its path", async () => {
    const path = join(directory(), "audit.jsonl");
    execFileSync("mkfifo", [path]);
    const { audit, problems } = open({ path });
    audit.record(command("ls"));
    await audit.close();
    expect(problems).toHaveLength(1);
  });

  it("reports once that it cannot write, and continues when it can again", async () => {
    const dir = directory();
    const path = join(dir, "project", "audit.jsonl");
    writeFileSync(join(dir, "project"), "in the way");
    const { audit, problems } = open({ path });
    audit.record(command("one"));
    await expect.poll(() => problems.length).toBe(1);
    expect(problems[0]).toMatch(/^The audit log cannot be written: .* The turn goes on/);
    audit.record(command("two"));
    rmSync(join(dir, "project"));
    audit.record(command("three"));
    await audit.close();
    expect(linesOf(path).map((line) => line["command"])).toEqual(["one", "two", "three"]);
    expect(problems).toHaveLength(1);
  });

  it("records how many lines were lost because too many waited for the disk", async () => {
    const { audit, path } = open();
    for (let n = 0; n < 1500; n++) audit.record({ event: EVENTS[n % 8] ?? "", n } as never);
    await audit.close();
    const lines = linesOf(path);
    expect(lines.filter((line) => line["event"] === "lost")).toEqual([
      expect.objectContaining({ lines: 500 }),
    ]);
    expect(lines).toHaveLength(1001);
  });

  it("reports a full disk once", async () => {
    const { audit, problems } = open({ path: "/dev/full" });
    audit.record(command("ls"));
    await audit.close();
    expect(problems).toHaveLength(1);
  });

  it("ignores entries after it is closed", async () => {
    const { audit, path } = open();
    audit.record(command("before"));
    await audit.close();
    audit.record(command("after"));
    await audit.close();
    expect(linesOf(path).map((line) => line["command"])).toEqual(["before"]);
  });
});

describe("a line", () => {
  it.each([
    ["escape sequences", "\u001b]52;c;aGk=\u0007\u009b31m"],
    ["line separators", "a\u2028b\u0085c\r\nd"],
    ["changes of direction", "\u202eabc\u2066"],
    ["text without a visible glyph", "a\u200bb\ufeff\u{e0041}"],
    ["halves of pairs", "\ud800x\udfff"],
  ])("escapes %s without losing anything", (_, text) => {
    const line = auditLine({ command: text });
    expect(line).toMatch(/^[\x20-\x7e]*\n$/);
    expect(JSON.parse(line)).toEqual({ command: text });
  });

  it.each([
    ["a long string", { command: "ä".repeat(1_000_000) }],
    ["many strings", { files: Array(100_000).fill({ path: "p".repeat(3000) }) }],
    [
      "many keys",
      Object.fromEntries([...Array(9000)].map((_, n) => [`k${n}`, "\u001b".repeat(99)])),
    ],
    ["all escapes", { command: "\u0000".repeat(100_000), cwd: "\u{e0001}".repeat(100_000) }],
  ])("is bounded and still names its event, with %s", (_, fields) => {
    const line = auditLine({ time: "now", pid: 1, event: "command", ...fields });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(JSON.parse(line)).toMatchObject({ time: "now", pid: 1, event: "command" });
  });
});
