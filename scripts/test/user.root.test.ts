import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished } from "vitest";
import { itAsRoot } from "../../test/support/root.ts";
import { processesOf } from "./processes.ts";
import { makeUser, type OrdinaryUser, USER_NAME, type UserNeeds } from "./user.ts";

/** A checkout and other things of root's in a directory that is closed to all others. */
async function closedPlace(): Promise<{ base: string; from: string }> {
  const base = await mkdtemp(join(tmpdir(), "codex-chat-closed-"));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const from = join(base, "it's a", "checkout");
  await mkdir(join(from, ".cache", "debs"), { recursive: true });
  await mkdir(join(from, ".git"));
  await writeFile(join(from, "package.json"), "{}", { mode: 0o600 });
  await writeFile(join(base, "secret"), "root's", { mode: 0o600 });
  expect((await stat(base)).mode & 0o077).toBe(0);
  return { base, from };
}

async function user(needs: UserNeeds, from: string): Promise<OrdinaryUser> {
  const made = await makeUser(needs, { from });
  if (!made.ok) throw new Error(made.error.message);
  onTestFinished(made.value.close);
  return made.value;
}

async function sh(who: OrdinaryUser, script: string, ...args: string[]): Promise<string> {
  const child = who.spawn(["sh", "-c", script, "sh", ...args], { stdio: ["ignore", "pipe", 2] });
  return child.stdout === null ? "" : await text(child.stdout);
}

describe("the ordinary user of the tests", () => {
  itAsRoot("has a name, a home and a checkout, and no right of root's", async () => {
    const { base, from } = await closedPlace();
    const who = await user({ programs: [], sockets: [] }, from);
    const said = await sh(who, "whoami; id -u; id -G; pwd; grep ^Cap /proc/self/status; echo ~");
    const [name, uid, groups, cwd, ...rest] = said.trim().split("\n");
    expect([name, uid, groups, cwd]).toEqual([USER_NAME, `${who.uid}`, `${who.uid}`, from]);
    expect(rest.join("\n")).toMatch(/CapPrm:\t0+\nCapEff:\t0+\n/);
    expect(rest.at(-1)).toMatch(new RegExp(`/codex-chat-${who.uid}/home$`));
    expect(await sh(who, 'cat package.json && touch made && echo x > "$TMPDIR/x" && ls -A')).toBe(
      "{}.cache\nmade\npackage.json\n",
    );
    // What is the user's is a copy, and what is root's is closed, also where it is in plain sight.
    expect(existsSync(join(from, "made"))).toBe(false);
    expect(await sh(who, 'ls -A "$1"; mkdir d; chmod 0 d; ls d 2>&1', base)).toMatch(
      /^it's a\n.*Permission denied/,
    );
    expect(await sh(who, "ls /root 2>&1; cat /etc/shadow 2>&1")).toMatch(
      /Permission denied[\s\S]*Permission denied/,
    );
  });

  itAsRoot(
    "reaches a program and a socket that lie in closed directories, and no others",
    async () => {
      const umask = process.umask(0o077);
      onTestFinished(() => void process.umask(umask));
      const { base, from } = await closedPlace();
      const program = join(base, "tool");
      await writeFile(program, '#!/bin/sh\necho "tool $1"\n');
      await chmod(program, 0o755);
      const socket = join(base, "run", "engine.sock");
      await mkdir(join(base, "run"), { mode: 0o700 });
      const server = createServer((connection) => connection.end("engine\n")).listen(socket);
      await new Promise((resolve) => server.once("listening", resolve));
      onTestFinished(() => void server.close());
      await chmod(socket, 0o660);
      execFileSync("chgrp", ["61183", socket]);
      const who = await user({ programs: [program], sockets: [socket] }, from);
      const reach = `require("net").connect(process.argv[1]).on("error", (e) => console.log(e.code)).pipe(process.stdout)`;
      const script = '"$1" hello; "$2" -e "$3" "$4"; id -G';
      expect(await sh(who, script, program, process.execPath, reach, socket)).toBe(
        `tool hello\nengine\n${who.uid} 61183\n`,
      );
      await chmod(socket, 0o600);
      const refused = await makeUser({ programs: [program], sockets: [socket] }, { from });
      expect(refused).toMatchObject({
        ok: false,
        error: { message: `Only its owner may use the engine's socket ${socket}.` },
      });
    },
  );

  itAsRoot("is refused where it could not run what it needs, and leaves nothing", async () => {
    const { base, from } = await closedPlace();
    const program = join(base, "tool");
    await writeFile(program, "#!/bin/sh\n", { mode: 0o700 });
    const refused = await makeUser({ programs: [program], sockets: [] }, { from });
    expect(refused.ok ? "" : refused.error.message).toContain(`it cannot run ${program}`);
  });

  itAsRoot("is gone with all it has started, and another one at the time is not", async () => {
    const { from } = await closedPlace();
    const [one, two] = [
      await user({ programs: [], sockets: [] }, from),
      await user({ programs: [], sockets: [] }, from),
    ];
    expect(two.uid).not.toBe(one.uid);
    for (const who of [one, two])
      await sh(who, "setsid sleep 4711 >/dev/null 2>&1 & mkdir -p $TMPDIR/a; chmod 0 $TMPDIR/a");
    for (const who of [one, two]) expect(await processesOf(who.uid)).toHaveLength(1);
    await one.close();
    expect(await processesOf(one.uid)).toEqual([]);
    expect(existsSync(join(one.reports, ".."))).toBe(false);
    expect(await processesOf(two.uid)).toHaveLength(1);
    expect(existsSync(two.reports)).toBe(true);
  });

  itAsRoot("is gone when the run was killed with -9", async () => {
    const { from } = await closedPlace();
    const keeper = join(import.meta.dirname, "../../dist/scripts/user-keeper.mjs");
    const options = JSON.stringify({ checkout: from, tempDir: tmpdir() });
    // A run as small as can be: it makes the user, starts a process and waits.
    const run = `const { spawn } = require("child_process");
      const keeper = spawn(process.execPath, process.argv.slice(1), { stdio: ["pipe", "pipe", 2], detached: true });
      keeper.stdout.once("data", (line) => {
        const { uid } = JSON.parse(line);
        spawn("setpriv", ["--reuid", uid, "--regid", uid, "--clear-groups", "sleep", "4711"].map(String))
          .once("spawn", () => process.stdout.write(String(line)));
      });`;
    const child = spawn(process.execPath, ["-e", run, keeper, options], {
      stdio: ["ignore", "pipe", 2],
    });
    const line = await new Promise((resolve) => child.stdout?.once("data", resolve));
    const { uid, dir } = JSON.parse(String(line)) as { uid: number; dir: string };
    expect(await processesOf(uid)).not.toEqual([]);
    expect(existsSync(dir)).toBe(true);
    child.kill("SIGKILL");
    await expect.poll(() => existsSync(dir)).toBe(false);
    expect(await processesOf(uid)).toEqual([]);
  });
});
