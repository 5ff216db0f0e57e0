import { expect, it } from "vitest";
import { Settings } from "../settings/settings.ts";
import { refuseKeyInEnv } from "./sandbox-options.ts";

const read = (sandbox: object) => Settings.safeParse({ state_dir: "/state", sandbox });

it.each([
  [{ env: { "A B": "1" } }, "is not the name of a variable"],
  [{ env: { CODEX_HOME: "/tmp" } }, "is the sandbox's own"],
  [{ env: { HOME: "/tmp" } }, "is the sandbox's own"],
  [{ memory: 4 }, "at least 256 MiB, in bytes"],
  [{ pids: 100 }, "1024"],
  [{ mounts: [{ source: "relative" }] }, "must be an absolute path"],
  [{ mounts: [{ source: "/a", writable: true }] }, "writable"],
])("a setting that would break or weaken the sandbox is refused: %j", (sandbox, why) => {
  expect(JSON.stringify(read(sandbox).error?.issues)).toContain(why);
});

it.each([
  [undefined, { tools: true, dirs: ["node_modules", "target", ".venv"] }],
  [true, { tools: true, dirs: ["node_modules", "target", ".venv"] }],
  [false, { tools: false, dirs: [] }],
  [{ tools: false }, { tools: false, dirs: ["node_modules", "target", ".venv"] }],
  [{ dirs: {} }, { tools: true, dirs: [] }],
  [{ dirs: ["a/b"] }, { tools: true, dirs: ["a/b"] }],
])("the caches setting %j is read as %j", (caches, expected) => {
  expect(read(caches === undefined ? {} : { caches }).data?.sandbox.caches).toEqual(expected);
});

it("the container's variables must not include the model's key", () => {
  const settings = Settings.parse({
    state_dir: "/state",
    sandbox: { env: { OTHER: "x", TOKEN: "Bearer sk-12345678" } },
  });
  const refused = refuseKeyInEnv(settings, { OPENAI_API_KEY: "sk-12345678" });
  expect(refused).toMatchObject({ ok: false, error: { kind: "secret_inside" } });
  if (!refused.ok) expect(refused.error.message).toContain("sandbox.env.TOKEN contains the key");
  expect(refuseKeyInEnv(settings, { OPENAI_API_KEY: "sk-87654321" })).toEqual({ ok: true });
});
