import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { afterAll, describe, expect, it } from "vitest";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { engine, image } from "./shared.ts";
import { must, options, own, refused, repository, SLOW, sh } from "./support.ts";

const MIB = 1024 ** 2;

// One sandbox for all cases; those that end it make their own.
const parent = await mkdtemp(join(tmpdir(), "codex-chat-exec-"));
const root = join(parent, "project");
await mkdir(root);
await own(root);
const stateDir = join(parent, "state");
const shared = must(await openSandbox(engine, await options(image, root, { stateDir })));
afterAll(async () => {
  await shared.remove();
  await rm(parent, { recursive: true, force: true });
});

describe("a process in the sandbox", SLOW, () => {
  it("has separate stdout and stderr, and reports its exit code", async () => {
    const ran = await sh(shared, "echo out; echo err >&2; exit 7");
    expect(ran).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: 7 });
  });

  it("gets its arguments unchanged, whatever they contain", async () => {
    const args = ["a b", "$(touch /tmp/x)", "'\"", "ü\n", "", "--", "*"];
    const ran = await sh(shared, 'for it; do printf "[%s]" "$it"; done', ...args);
    expect(ran.stdout).toBe(args.map((arg) => `[${arg}]`).join(""));
  });

  it("has its own environment and working directory", async () => {
    const process = must(
      await shared.exec({
        argv: ["sh", "-c", "echo $A $HOME; pwd"],
        env: { A: "1 2" },
        cwd: "/tmp",
      }),
    );
    process.stdin.end();
    process.stderr.resume();
    expect(await text(process.stdout)).toBe("1 2 /home/agent\n/tmp\n");
  });

  it("sees the end of its input and can still answer", async () => {
    const process = must(await shared.exec({ argv: ["sh", "-c", "wc -c; echo bye"] }));
    process.stderr.resume();
    process.stdin.end("12345");
    expect((await text(process.stdout)).split(/\s+/)).toEqual(["5", "bye", ""]);
    expect(await process.exited).toEqual({ exitCode: 0 });
  });

  it("passes 64 MiB each way unchanged", async () => {
    const bytes = randomBytes(MIB);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    function* source(): Generator<Buffer> {
      for (let i = 0; i < 64; i++) {
        sent.update(bytes);
        yield bytes;
      }
    }
    const process = must(await shared.exec({ argv: ["cat"] }));
    process.stderr.resume();
    const [length] = await Promise.all([
      (async () => {
        let count = 0;
        for await (const chunk of process.stdout) {
          received.update(chunk as Buffer);
          count += (chunk as Buffer).length;
        }
        return count;
      })(),
      pipeline(Readable.from(source()), process.stdin),
    ]);
    expect(length).toBe(64 * MIB);
    expect(received.digest("hex")).toBe(sent.digest("hex"));
    expect(await process.exited).toEqual({ exitCode: 0 });
  });

  it("blocks while nobody reads its output, and continues when somebody does", async () => {
    const process = must(
      await shared.exec({
        argv: [
          "sh",
          "-c",
          "dd if=/dev/zero bs=1M count=32 2>/dev/null; echo finished > /tmp/finished",
        ],
      }),
    );
    process.stdin.end();
    process.stderr.resume();
    await new Promise((resolve) => process.stdout.once("readable", resolve));
    // Other programs start and end meanwhile: this one must still be waiting for its reader.
    expect((await sh(shared, "cat /tmp/finished")).exitCode).toBe(1);
    expect(process.stdout.readableLength).toBeLessThan(MIB);
    let count = 0;
    for await (const chunk of process.stdout) count += (chunk as Buffer).length;
    expect(count).toBe(32 * MIB);
    await process.exited;
    expect((await sh(shared, "cat /tmp/finished")).stdout).toBe("finished\n");
  });

  it("runs in parallel with others", async () => {
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => sh(shared, `echo ${i}; exit ${i}`)),
    );
    expect(all.map((result) => result.exitCode)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("is detached by kill, and its reader sees an end", async () => {
    const process = must(await shared.exec({ argv: ["cat"] }));
    process.stderr.resume();
    process.stdin.write("hello");
    await new Promise((resolve) => process.stdout.once("readable", resolve));
    process.kill();
    expect(await text(process.stdout)).toBe("hello");
    expect(await process.exited).toEqual({ exitCode: null });
    // cat heeds the end of its input, so it is gone inside too.
    await expect.poll(async () => (await sh(shared, "pgrep -x cat")).stdout).toBe("");
  });

  it("ends with 127 or is refused if the program does not exist", async () => {
    const started = await shared.exec({ argv: ["no-such-program"] });
    if (!started.ok) {
      expect(started.error.kind).toBe("exec_failed");
      return;
    }
    started.value.stdin.end();
    started.value.stderr.resume();
    started.value.stdout.resume();
    expect([126, 127]).toContain((await started.value.exited).exitCode);
  });

  it("is not started if the signal is already aborted", async () => {
    const signal = AbortSignal.abort(new Error("no longer wanted"));
    await expect(shared.exec({ argv: ["true"], signal })).rejects.toThrow("no longer wanted");
  });

  it("is refused with a reason if the sandbox is gone", async () => {
    const box = must(await openSandbox(engine, await options(image, await repository())));
    await box.remove();
    const error = refused(await box.exec({ argv: ["true"] }));
    expect(error.kind).toBe("exec_failed");
    expect(error.message).toContain("the sandbox has stopped");
  });

  it("ends for its reader when the sandbox is removed while it runs", async () => {
    const box = must(await openSandbox(engine, await options(image, await repository())));
    const process = must(await box.exec({ argv: ["sh", "-c", "echo up; sleep 600"] }));
    process.stderr.resume();
    await new Promise((resolve) => process.stdout.once("readable", resolve));
    await box.remove();
    expect(await text(process.stdout)).toBe("up\n");
    await process.exited;
  });
});
