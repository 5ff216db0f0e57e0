import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startLogin } from "./codex-login.ts";

it("logs in through the configured proxy, and through the environment's only if none is configured", async () => {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-login-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const program = join(dir, "codex");
  await writeFile(program, `#!/bin/sh\nenv > "${dir}/env"\n`);
  await chmod(program, 0o700);
  const env = { https_proxy: "http://theirs.test", NO_PROXY: "*", SECRET: "x", TZ: "UTC" };
  const environment = async (proxy?: URL) => {
    await startLogin({ program, home: join(dir, "home"), env, method: "browser", proxy });
    const lines = (await readFile(join(dir, "env"), "utf8")).split("\n");
    return lines.filter((line) => /proxy|SECRET|TZ/i.test(line)).sort();
  };
  expect(await environment()).toEqual(["NO_PROXY=*", "TZ=UTC", "https_proxy=http://theirs.test"]);
  expect(await environment(new URL("http://me:pass@ours.test:3128"))).toEqual([
    "HTTPS_PROXY=http://me:pass@ours.test:3128/",
    "HTTP_PROXY=http://me:pass@ours.test:3128/",
    "NO_PROXY=127.0.0.1,localhost,::1",
    "TZ=UTC",
  ]);
});
