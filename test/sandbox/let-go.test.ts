import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { letGo } from "../../src/sandbox/let-go.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { sandboxOn } from "./shared.ts";
import { must, own, refused, SLOW, scratchDir, sh } from "./support.ts";

const SCRIPT = "#!/bin/sh\necho ran\n";

/** Each makes the file `run` of its directory in another way; `old` is there and the host's. */
const WAYS: Readonly<Record<string, string>> = {
  redirection: `printf '${SCRIPT.replaceAll("\n", "\\n")}' > run && chmod +x run`,
  "sed -i": "mv old run && sed -i s/old/ran/ run",
  "an edit in place": "mv old run && printf '#!/bin/sh\\necho ran\\n' > run",
  cp: "cp /bin/true run",
  "mv over it": "cp /bin/true new && touch run && mv new run",
  "a compiler": "echo 'int main(void){return 0;}' > a.c && cc -o run a.c",
  "git checkout": `git init -q . && printf '#!/bin/sh\\necho ran\\n' > run && chmod +x run && git add run
    git -c user.name=a -c user.email=a@a commit -qm 1 && rm run && git checkout -q -- run`,
  python:
    "python3 -c \"open('run','w').write('#!/bin/sh\\\\necho ran\\\\n'); import os; os.chmod('run',0o755)\"",
  tar: "cp /bin/true t && tar cf a.tar t && rm t && tar xf a.tar && mv t run",
  "a hard link": "cp /bin/true a && ln a run",
  "a link": "cp /bin/true a && ln -s a run",
  "deep in the tree": "mkdir -p a/b/c/d && cp /bin/true a/b/c/d/run && ln -s a/b/c/d/run run",
  "a directory renamed later": "mkdir a && cp /bin/true a/run && mv a b && ln -s b/run run",
  "a name with spaces": "cp /bin/true 'a b, c:d' && ln -s 'a b, c:d' run",
};

/** Of a directory in which each of the ways was gone: which of the programs the host runs. */
async function ran(root: string): Promise<Record<string, string>> {
  const all = Object.keys(WAYS).map((way, n): [string, string] => {
    const { status, error } = spawnSync(join(root, String(n), "run"));
    return [way, (error as NodeJS.ErrnoException | undefined)?.code ?? String(status)];
  });
  return Object.fromEntries(all);
}

const each = (value: string) => Object.fromEntries(Object.keys(WAYS).map((way) => [way, value]));

async function made(root: string, sandbox: Sandbox): Promise<void> {
  for (const [n, way] of Object.values(WAYS).entries()) {
    const dir = join(root, String(n));
    await mkdir(dir);
    await writeFile(join(dir, "old"), "#!/bin/sh\necho old\n");
    await chmod(join(dir, "old"), 0o755);
    await own(dir, join(dir, "old"));
    const { exitCode, stderr } = await sh(sandbox, `cd ${n} && ${way}`);
    expect([way, exitCode, stderr]).toEqual([way, 0, ""]);
  }
}

describe("a file that was written in the sandbox", SLOW, () => {
  it("runs on the host after gVisor has closed it, however it was made, and not before", async () => {
    const root = await scratchDir("pro, je:ct");
    const beside = await scratchDir("beside");
    const mounts = [{ source: beside, write: true }];
    const sandbox = await sandboxOn(root, { mounts });
    await made(root, sandbox);
    await sh(sandbox, `cp /bin/true ${beside}/run`);
    // The control: gVisor has each of them open.
    expect(await ran(root)).toEqual(each("ETXTBSY"));
    const before = await sh(sandbox, "find . -ls");
    must(await sandbox.letGo());
    expect(await ran(root)).toEqual(each("0"));
    expect(spawnSync(join(beside, "run")).status).toBe(0);
    expect((await sh(sandbox, "find . -ls")).stdout).toBe(before.stdout);
  });

  it("runs on the host even if there are more files than gVisor caches", async () => {
    const root = await scratchDir();
    const sandbox = await sandboxOn(root);
    await sh(
      sandbox,
      "mkdir a z; for i in $(seq 1500); do echo > a/$i; echo > z/$i; done; cp /bin/true z/run; cat z/* a/* > /dev/null; echo >> z/run",
    );
    expect(spawnSync(join(root, "z/run")).error).toMatchObject({ code: "ETXTBSY" });
    must(await sandbox.letGo());
    expect(spawnSync(join(root, "z/run")).status).toBe(0);
  });

  it("stays busy while a program inside has it open for writing", async () => {
    const root = await scratchDir();
    const sandbox = await sandboxOn(root);
    // What is open in a program is the first and the last that is looked at.
    await sh(sandbox, "for it in log other run; do cp /bin/true $it; done");
    const script = "exec 3>>run; exec 4>>log; echo open; cat";
    const holder = await sandbox.exec({ argv: ["sh", "-c", script] });
    if (!holder.ok) throw new Error(holder.error.message);
    holder.value.stderr.resume();
    const said = text(holder.value.stdout);
    await expect
      .poll(() => sh(sandbox, "ls -l /proc/*/fd/3").then((result) => result.stdout))
      .toContain("run");
    must(await sandbox.letGo());
    expect(spawnSync(join(root, "other")).status).toBe(0);
    expect(spawnSync(join(root, "run")).error).toMatchObject({ code: "ETXTBSY" });
    holder.value.stdin.end();
    await said;
    must(await sandbox.letGo());
    expect(spawnSync(join(root, "run")).status).toBe(0);
  });

  it("stays busy if gVisor cannot be made to close it, and the advice given helps", async () => {
    const root = await scratchDir();
    const sandbox = await sandboxOn(root);
    await sh(sandbox, "cp /bin/true run");
    const failed = refused(await letGo(sandbox.exec, ["/nowhere"]));
    expect(failed.message).toMatch(/^gVisor could not be made to close .*ENOENT/s);
    expect(failed.fix).toMatch(/"Text file busy".*:CodexChat sandbox stop$/);
    expect(spawnSync(join(root, "run")).error).toMatchObject({ code: "ETXTBSY" });
    // Neither a program that does not end nor an engine that does not answer is waited for.
    const sleeping: typeof sandbox.exec = (options) =>
      sandbox.exec({ ...options, argv: ["sleep", "60"] });
    const silent: typeof sandbox.exec = () => new Promise(() => {});
    for (const exec of [sleeping, silent])
      expect(refused(await letGo(exec, [root], 500)).message).toContain("took longer than 0.5 s");
    await sandbox.release();
    expect(spawnSync(join(root, "run")).status).toBe(0);
  });

  it.each([
    {
      what: "if no overlay was mounted",
      before: "mkdir bin; ln -s /bin/true bin/mount; PATH=$PWD/bin:$PATH",
      says: /no overlay is mounted above/,
    },
    {
      what: "if a symlink has taken a directory's place meanwhile",
      before: 'mkdir -p 0/upper; ln -s "$0/d" 0/upper/d',
      says: /^$/,
    },
  ])("is not removed $what", async ({ before, says }) => {
    const root = await scratchDir();
    const sandbox = await sandboxOn(root);
    await sh(sandbox, "mkdir d; touch a d/b");
    const script = `set -e; mount -t tmpfs none /run/codex-chat; cd /run/codex-chat; ${before}
      exec node /opt/codex-chat/let-go.mjs /run/codex-chat "$0"`;
    const process = await sandbox.exec({ argv: ["unshare", "-Urm", "sh", "-c", script, root] });
    if (!process.ok) throw new Error(process.error.message);
    process.value.stdout.resume();
    expect(await text(process.value.stderr)).toMatch(says);
    expect((await sh(sandbox, "ls . d")).stdout).toBe(".:\na\nd\n\nd:\nb\n");
  });
});
