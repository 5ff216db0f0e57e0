import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { leaveOut } from "../../programs.ts";
import { KeyRing, runKeyCommand } from "./key-command.ts";

const env = { PATH: process.env["PATH"], GPG_TTY: "/dev/tty" };
const sh = (script: string) => ["sh", "-c", script];
const run = (script: string, timeoutMs = 10_000) => runKeyCommand(sh(script), { env, timeoutMs });

describe("the command for the key", () => {
  it.each<[string, string, string]>([
    ["its output", "echo sk-1234", "sk-1234"],
    ["its first line, since pass keeps more below", "printf 'sk-1234\\nuser: me\\n'", "sk-1234"],
    ["the line without surrounding blanks", "printf '  sk-1234 \\r\\nx'", "sk-1234"],
  ])("returns %s", async (_name, script, key) => {
    expect(await run(script)).toEqual({ ok: true, value: key });
  });

  it("is run without variables that lead into a project", async () => {
    const root = await mkdtemp(join(tmpdir(), "codex-chat-key-"));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    leaveOut(root, ["/home/somebody"]);
    const planted = join(root, "env");
    await writeFile(planted, "echo planted");
    const command = ["bash", "-c", "echo sk-1234"];
    expect(await runKeyCommand(command, { env: { ...env, BASH_ENV: planted } })).toEqual({
      ok: true,
      value: "sk-1234",
    });
  });

  it("has no terminal to draw over the editor", async () => {
    expect(await run("test -t 0 || echo none-$GPG_TTY; : < /dev/tty")).toMatchObject({ ok: false });
    expect(await run("test -t 0 || echo none-$GPG_TTY")).toEqual({ ok: true, value: "none-" });
  });

  it.each<[string, string, RegExp]>([
    ["fails", "echo 'no such entry' >&2; exit 3", /it ended with 3: no such entry\./],
    ["prints nothing", ":", /its first line is empty\.$/],
    ["prints a blank line first", "echo; echo sk-1234", /its first line is empty\.$/],
    ["is killed", "kill -9 $$", /it was ended by SIGKILL/],
    ["prints without end", "yes", /it printed too much/],
  ])("is reported with the reason if it %s", async (_name, script, why) => {
    const found = await run(script);
    expect(found).toMatchObject({ ok: false, error: { kind: "key_command" } });
    expect(!found.ok && found.error.message).toMatch(why);
  });

  it("is killed with all of its children if it takes too long", async () => {
    const found = await run("sleep 100 & echo sk-1234; wait", 300);
    expect(!found.ok && found.error.message).toContain("it took longer than 0.3 s");
  });

  it("is reported if it is missing", async () => {
    const found = await runKeyCommand(["no-such-program"], { env });
    expect(!found.ok && found.error.message).toContain(
      "(api_key_cmd, no-such-program) failed: there is no such program",
    );
  });

  it.each([
    "gpg: public key decryption failed: Inappropriate ioctl for device",
    "gpg-agent: failed to run pinentry",
    "gpg: cannot open '/dev/tty': No such device or address",
  ])("reports what to do if it cannot ask for a passphrase: %s", async (said) => {
    const found = await run(`echo "${said}" >&2; exit 2`);
    expect(!found.ok && found.error.fix).toContain("graphical pinentry");
  });

  it.each<[string, string]>([
    ["that is in the output", "echo canary-1; echo canary-1 >&2; exit 1"],
    ["on a line of a trace", "set -x; KEY=sk-canary-1; exit 1"],
    ["that only stderr contains", "echo c4naryc4naryc4naryc4naryc4nary >&2; exit 1"],
    [
      "that is part of a longer line",
      "printf 'canary-1\\nmore'; printf 'x canary-1 y' >&2; exit 1",
    ],
  ])("quotes no secret %s", async (_name, script) => {
    expect(JSON.stringify(await run(script))).not.toMatch(/c[a4]nary/);
  });

  it("shows no escape sequences from stderr", async () => {
    const found = await run("printf 'a\\033]52;c;x\\007b' >&2; exit 1");
    expect(!found.ok && found.error.message).toMatch(/a ]52;c;x b/);
  });
});

describe("KeyRing", () => {
  /** A command that prints how often it was run. */
  async function counting() {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-key-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const log = join(dir, "log");
    await writeFile(log, "");
    const command = sh(`echo x >> ${log}; echo "key-$(wc -l < ${log})"`);
    const runs = async () => (await readFile(log, "utf8")).length / 2;
    return { command, runs };
  }

  it("runs a command once, even for many simultaneous calls", async () => {
    const { command, runs } = await counting();
    const ring = new KeyRing();
    const all = await Promise.all(Array.from({ length: 5 }, () => ring.get(command, { env })));
    expect(all).toEqual(all.map(() => ({ ok: true, value: "key-1" })));
    expect(await ring.get(command, { env })).toEqual({ ok: true, value: "key-1" });
    expect(await runs()).toBe(1);
  });

  it("runs a command again after a refused key, but at most once a minute", async () => {
    const { command, runs } = await counting();
    let now = 0;
    const ring = new KeyRing(() => now);
    await ring.get(command, { env });
    for (let n = 0; n < 10; n++) expect(await ring.renew(command, { env })).toBe(false);
    expect(await runs()).toBe(1);
    now += 61_000;
    expect(await ring.renew(command, { env })).toBe(true);
    for (let n = 0; n < 10; n++) expect(await ring.renew(command, { env })).toBe(false);
    expect(await ring.get(command, { env })).toEqual({ ok: true, value: "key-2" });
    expect(await runs()).toBe(2);
  });

  it("reports that a command prints no other key", async () => {
    let now = 0;
    const ring = new KeyRing(() => now);
    await ring.get(sh("echo same"), { env });
    now += 61_000;
    expect(await ring.renew(sh("echo same"), { env })).toBe(false);
  });
});
