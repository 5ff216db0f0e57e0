/** Runtimes that the engine is told of, and whose programs are not there. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, onTestFinished } from "vitest";
import { usePrivateEngine } from "../../../scripts/setup/index.ts";
import { findEngine } from "../../../src/sandbox/engine/engine.ts";
import { lookForRuntime } from "../../../src/sandbox/engine/runtime-program.ts";
import { checkHealth } from "../../../src/session/health/health.ts";
import { itAsRoot } from "../../support/root.ts";

describe("the health check of a runtime", { timeout: 150_000 }, () => {
  itAsRoot(
    "reports that its program is missing or not executable, and how to register it",
    async () => {
      const base = await mkdtemp(join(tmpdir(), "codex-chat-health-"));
      onTestFinished(() => rm(base, { recursive: true }));
      const plain = join(base, "runsc");
      await writeFile(plain, "", { mode: 0o644 });
      await using engine = await usePrivateEngine({
        name: "engine-health",
        extraRuntimes: {
          gone: { path: "/nonexistent/runsc", runtimeArgs: [] },
          plain: { path: plain, runtimeArgs: [] },
        },
      });
      const found = async (runtime: string) => {
        const sandbox = { engine: engine.host, runtime };
        const lines = await checkHealth(
          { state_dir: join(base, "state"), sandbox },
          process.env,
          base,
        );
        return lines.filter(({ section }) => section === "Sandbox");
      };
      const gone = await found("gone");
      const [error] = gone.filter(({ level }) => level === "error");
      expect(error?.message).toBe(
        'The engine has the runtime "gone", but there is no /nonexistent/runsc.',
      );
      expect(error?.advice.join("\n")).toMatch(
        /^Install gVisor \(:help codex-chat-gvisor\).*\nsudo runsc install --runtime=gone -- /,
      );
      expect((await found("plain")).filter(({ level }) => level === "error")).toMatchObject([
        {
          message: `The engine has the runtime "plain", but ${plain} is not executable.`,
          advice: expect.arrayContaining([`sudo chmod a+rx ${plain}`]),
        },
      ]);
      expect((await found("runsc")).filter(({ level }) => level === "error")).toEqual([]);
      // The command is run without sudo, which root needs not.
      await execa("chmod", ["a+rx", plain]);
      expect((await found("plain")).filter(({ level }) => level === "error")).toEqual([]);

      const real = await findEngine({ env: {}, host: engine.host });
      if (!real.ok) throw new Error(real.error.message);
      // The command for a runtime that is not registered is run as it stands there.
      const unknown = (await found("mine")).filter(({ level }) => level === "error");
      const command = /^sudo (runsc install .*)$/m.exec(unknown[0]?.advice.join("\n") ?? "")?.[1];
      const config = join(base, "daemon.json");
      const [, , ...args] = (command ?? "").split(" ");
      await execa(real.value.runtimes["runsc"]?.path ?? "", [
        "install",
        "--config_file",
        config,
        ...args,
      ]);
      const { mine } = JSON.parse(await readFile(config, "utf8")).runtimes;
      await using again = await usePrivateEngine({
        name: "engine-health-again",
        extraRuntimes: { mine: { runtimeArgs: mine.runtimeArgs } },
      });
      const settings = { engine: again.host, runtime: "mine" };
      const lines = await checkHealth(
        { state_dir: join(base, "state"), sandbox: settings },
        process.env,
        base,
      );
      expect(lines.map(({ message }) => message)).toContainEqual(
        expect.stringMatching(/^runtime: mine, release \d{8} --network=none --directfs=false/),
      );

      // The same engine, as one that runs elsewhere tells of itself.
      const runtime = { name: "gone", path: "/nonexistent/runsc", args: [] };
      for (const other of [{ kernel: "6.6.0-linuxkit" }, { machine: "colima" }])
        expect(await lookForRuntime({ ...real.value, ...other }, runtime)).toMatchObject({
          at: "unknown",
        });
    },
  );
});
