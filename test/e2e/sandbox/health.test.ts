/** `:checkhealth codex-chat` with real parts that are missing, wrong or closed. */

import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkHealth } from "../../../src/session/health/health.ts";
import type { HealthLine } from "../../../src/session/health/health-line.ts";
import { Place, SLOW } from "../support.ts";

const KEY = { OPENAI_API_KEY: "sk-canary-0123456789" };

/** What is found for a place, with these settings over those with which all is well. */
async function check(
  place: Place,
  settings: Readonly<Record<string, unknown>> = {},
  env: NodeJS.ProcessEnv = {},
  root = place.project,
): Promise<HealthLine[]> {
  const { host, baseImage } = place.engine;
  const sandbox = {
    engine: host,
    build_network: "host",
    ...(baseImage === undefined ? {} : { base_image: baseImage }),
    ...(settings["sandbox"] as object | undefined),
  };
  const all = { state_dir: place.state, ...settings, sandbox };
  return checkHealth(all, { ...process.env, HOME: place.home, ...KEY, ...env }, root);
}

/** Warnings and errors as they are read, each with its advice. */
function said(lines: readonly HealthLine[]): string {
  return lines
    .filter(({ level }) => level === "error" || level === "warn")
    .map(({ level, section, message, advice }) =>
      [`${level} ${section}: ${message}`, ...advice.map((line) => `  ${line}`)].join("\n"),
    )
    .join("\n");
}

type Obstacle = {
  readonly title: string;
  readonly settings?: (place: Place) => Promise<object> | object;
  readonly env?: (place: Place) => Promise<NodeJS.ProcessEnv> | NodeJS.ProcessEnv;
  readonly root?: (place: Place) => string;
  readonly said: RegExp;
};

const OBSTACLES: readonly Obstacle[] = [
  {
    title: "the project is the home directory",
    root: (place) => place.home,
    said: /^warn Project: .* it is the home directory.*\n {2}.*:CodexChat open/m,
  },
  {
    title: "the state directory cannot be created",
    settings: async (place) => {
      await writeFile(join(place.base, "file"), "");
      return { state_dir: join(place.base, "file/state") };
    },
    said: /^error State: .*file\/state cannot be written.*\n {2}.*set state_dir to/m,
  },
  {
    title: "the key is missing",
    env: () => ({ OPENAI_API_KEY: "" }),
    said: /^error Model: .*OPENAI_API_KEY is not set.*\n {2}Start Neovim with it/m,
  },
  {
    title: "others can read the file of the key",
    settings: async (place) => {
      const path = join(place.base, "key");
      await writeFile(path, "sk-canary\n");
      await chmod(path, 0o644);
      return { api_key_cmd: ["cat", path] };
    },
    said: /^warn Model: .*\/key, which api_key_cmd names, can be read by other users\n {2}chmod 600 .*\/key/m,
  },
  {
    title: "git and flock are not installed",
    env: () => ({ PATH: "/nonexistent" }),
    said: /^warn Git: git is not installed[\s\S]*^error Sandbox: the program flock is missing.\n {2}sudo apt-get install util-linux/m,
  },
  {
    title: "the engine is missing",
    settings: (place) => ({ sandbox: { engine: `unix://${place.base}/none.sock` } }),
    said: /^error Sandbox: .*none\.sock.*there is no such socket\.\n {2}sudo systemctl start docker/m,
  },
  {
    title: "the engine is on another machine",
    settings: () => ({ sandbox: { engine: "ssh://elsewhere" } }),
    said: /^error Sandbox: .*ssh:\/\/elsewhere.*\n {2}Remove sandbox\.engine/m,
  },
  {
    title: "the runtime has another name",
    settings: () => ({ sandbox: { runtime: "runsk" } }),
    said: /^error Sandbox: .* has no runtime "runsk" \(it has: .*runsc.*\n {2}Install gVisor/m,
  },
  {
    title: "the configured image does not exist",
    settings: () => ({ sandbox: { image: "no-such-image:never" } }),
    said: /^warn Sandbox: .*no-such-image:never.*\n {2}docker pull no-such-image:never/m,
  },
  {
    title: "a mount does not exist",
    settings: () => ({ sandbox: { mounts: [{ source: "/no/such/place" }] } }),
    said: /^warn Sandbox: sandbox\.mounts: \/no\/such\/place is not mounted/m,
  },
  {
    title: "a setting of the sandbox is wrong",
    settings: () => ({ sandbox: { memory: 5 } }),
    said: /^error Configuration: sandbox\.memory: must be at least 256 MiB.*\n {2}See :help/m,
  },
];

describe("the health check", SLOW, () => {
  it("checks everything, and reports no problem if all is well", async () => {
    await using place = await Place.make();
    const lines = await check(place);
    // Where nobody has sent anything yet, the image is not built.
    expect(said(lines)).toBe("");
    const sections = [...new Set(lines.map(({ section }) => section))];
    expect(sections).toEqual(["Project", "State", "Model", "Git", "Sandbox"]);
    const steps = [...new Set(lines.map(({ step }) => step))];
    expect(steps.filter((step) => step !== undefined)).toEqual(["engine", "gvisor", "image"]);
    expect(JSON.stringify(lines)).not.toContain("canary");
  });

  it.each(OBSTACLES)("gives a fix if $title", async (obstacle) => {
    await using place = await Place.make();
    const settings = (await obstacle.settings?.(place)) ?? {};
    const env = (await obstacle.env?.(place)) ?? {};
    const lines = await check(place, { ...settings }, env, obstacle.root?.(place));
    expect(said(lines)).toMatch(obstacle.said);
    // It goes on: the sections after it are there as well.
    expect(lines.map(({ section }) => section)).toEqual(
      expect.arrayContaining(["Project", "State", "Model", "Git", "Sandbox"]),
    );
  });

  it("shows all problems at once, in the order in which to fix them", async () => {
    await using place = await Place.make();
    const file = join(place.base, "file");
    await writeFile(file, "");
    const settings = {
      state_dir: join(file, "state"),
      sandbox: { engine: `unix://${file}`, pids: 1 },
    };
    const lines = await check(
      place,
      settings,
      { OPENAI_API_KEY: "", PATH: "/nonexistent" },
      place.home,
    );
    const bad = said(lines).match(/^(error|warn) \w+: .{0,60}/gm);
    expect(bad?.map((line) => line.replaceAll(place.base, "…"))).toEqual([
      expect.stringMatching(/^error Configuration: sandbox\.pids/),
      // The path may be longer than what is cut off here.
      expect.stringMatching(/^warn Project: The agent gets no access to /),
      expect.stringMatching(/^error State: …\/file\/state/),
      expect.stringMatching(/^error Model: No API key/),
      expect.stringMatching(/^warn Git: git is not installed/),
      expect.stringMatching(/^error Sandbox: the program flock/),
      expect.stringMatching(/^error Sandbox: The engine at/),
    ]);
    expect(lines.at(-1)?.message).toContain("the self-test was not run");
    expect(lines.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^Codex \d/));
  });
});
