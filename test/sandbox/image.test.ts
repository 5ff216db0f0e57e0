import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ensureImage } from "../../src/sandbox/index.ts";
import {
  imageOptions,
  must,
  open,
  options,
  refused,
  repository,
  scratchDir,
  sh,
  testEngine,
  testImage,
} from "./support.ts";

const engine = await testEngine();

/** The product's options with a Dockerfile of the test's own, which builds within a second. */
async function withDockerfile(text: string) {
  const base = await imageOptions();
  const containerDir = await scratchDir("container");
  await cp(base.containerDir, containerDir, { recursive: true });
  await writeFile(join(containerDir, "Dockerfile"), text);
  return { ...base, containerDir, codex: { version: base.codex.version, entries: [] } };
}

describe("ensureImage", { timeout: 600_000 }, () => {
  it("gives the built image again without building", async () => {
    const image = await testImage(engine);
    expect(image.tag).toMatch(/^codex-chat:[0-9a-f]{12}$/);
    const lines: string[] = [];
    const again = await ensureImage(engine, {
      ...(await imageOptions()),
      onProgress: (line) => lines.push(line),
    });
    expect(again).toEqual({ ok: true, value: image });
    expect(lines).toEqual([]);
  });

  it("has codex, its helpers and the usual tools, with no network", async () => {
    const image = await testImage(engine);
    const sandbox = await open(engine, await options(image, await repository()));
    const { stdout, exitCode } = await sh(
      sandbox,
      "codex --version; bash -lc 'codex --version'; node -p 1+1; for it in git rg cc make python3 curl jq patch file unzip less ps codex-code-mode-host; do command -v $it >/dev/null || echo missing $it; done",
    );
    expect(exitCode).toBe(0);
    expect(stdout).toBe("codex-cli 0.169.0\ncodex-cli 0.169.0\n2\n");
  });

  it("builds once when several need it, and tells its progress", async () => {
    const unique = `${process.pid}-${process.hrtime.bigint()}`;
    const how = await withDockerfile(
      `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo first ${unique} && echo second\n`,
    );
    const lines: string[][] = [[], []];
    const [one, two] = await Promise.all(
      lines.map((to) => ensureImage(engine, { ...how, onProgress: (line) => to.push(line) })),
    );
    expect(one).toEqual(two);
    const image = must(one ?? refusedNothing());
    onTestFinished(() => engine.docker.getImage(image.tag).remove({ force: true }));
    const builders = lines.filter((it) => it.some((line) => line.startsWith("Step 1/")));
    expect(builders).toHaveLength(1);
    expect(builders[0]).toContain("second");
  });

  it("builds anew what is there only when that is asked for, and not from the engine's cache", async () => {
    const how = await withDockerfile(
      `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo ${process.hrtime.bigint()}; date +%N > /built\n`,
    );
    const first = must(await ensureImage(engine, how));
    onTestFinished(() => engine.docker.getImage(first.tag).remove({ force: true }));
    expect(must(await ensureImage(engine, how))).toEqual(first);
    const second = must(await ensureImage(engine, { ...how, rebuild: true }));
    onTestFinished(() => engine.docker.getImage(first.id).remove({ force: true }));
    expect(second).toEqual({ tag: first.tag, id: expect.not.stringMatching(first.id) });
  });

  it("reports a failed build with the command's own last lines", async () => {
    const how = await withDockerfile(
      `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo E: Unable to locate package nodejs && exit 100\n`,
    );
    const error = refused(await ensureImage(engine, how));
    expect(error.kind).toBe("image_build_failed");
    expect(error.message).toContain("returned a non-zero code: 100");
    expect(error.message).toContain("E: Unable to locate package nodejs");
    expect(error.mend).toContain("docker pull");
  });

  it("reports a base image that cannot be had", async () => {
    const how = await imageOptions();
    const error = refused(
      await ensureImage(engine, { ...how, baseImage: "localhost:1/none:gone" }),
    );
    expect(error.kind).toBe("image_build_failed");
    expect(error.message).toContain("localhost:1/none:gone");
  });

  it("stops building when aborted", async () => {
    const how = await withDockerfile(
      `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo up && sleep 600\n`,
    );
    const stop = new AbortController();
    const building = ensureImage(engine, {
      ...how,
      signal: stop.signal,
      onProgress: (line) => line === "up" && stop.abort(new Error("changed my mind")),
    });
    await expect(building).rejects.toThrow("changed my mind");
  });
});

function refusedNothing(): never {
  throw new Error("there was no result");
}
