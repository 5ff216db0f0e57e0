import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Progress } from "../../src/log.ts";
import { LABELS } from "../../src/sandbox/container/labels.ts";
import { followBuild } from "../../src/sandbox/image/build-log.ts";
import { ensureImage } from "../../src/sandbox/image/image.ts";
import { oldImages } from "../../src/sandbox/image/image-prune.ts";
import { tarStream } from "../../src/tar.ts";
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
  USER,
} from "./support.ts";

const engine = await testEngine();

/** The versions that package.json pins. */
const { dependencies: pinned } = JSON.parse(
  await readFile(new URL("../../package.json", import.meta.url), "utf8"),
) as { dependencies: Record<string, string> };
const codex = `codex-cli ${pinned["@openai/codex"]}`;
const npm = pinned["npm"];

/** The product's options with a Dockerfile of the test's own, which builds within a second. */
async function withDockerfile(text: string) {
  const base = await imageOptions();
  const containerDir = await scratchDir("container");
  await cp(base.containerDir, containerDir, { recursive: true });
  await writeFile(join(containerDir, "Dockerfile"), text);
  return {
    ...base,
    containerDir,
    codex: { version: base.codex.version, program: "", entries: [] },
  };
}

function textOf(what: Progress): string {
  return typeof what === "string" ? what : what.text;
}

describe("ensureImage", { timeout: 600_000 }, () => {
  it("returns the existing image without building", async () => {
    const image = await testImage(engine);
    expect(image.tag).toMatch(/^codex-chat:[0-9a-f]{12}$/);
    const progress: Progress[] = [];
    const again = await ensureImage(engine, {
      ...(await imageOptions()),
      onProgress: (what) => progress.push(what),
    });
    expect(again).toEqual({ ok: true, value: image });
    expect(progress).toEqual([]);
  });

  it("builds an image that has codex, its helpers and the usual tools without a network", async () => {
    const image = await testImage(engine);
    const sandbox = await open(engine, await options(image, await repository()));
    const { stdout, exitCode } = await sh(
      sandbox,
      "codex --version; bash -lc 'codex --version'; node -p 1+1; npm --version; npx --version; for it in git rg cc make python3 curl jq patch file unzip less ps codex-code-mode-host; do command -v $it >/dev/null || echo missing $it; done",
    );
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`${codex}\n${codex}\n2\n${npm}\n${npm}\n`);
  });

  it("builds once if several callers need it, and reports progress", async () => {
    const unique = `${process.pid}-${process.hrtime.bigint()}`;
    const dockerfile = `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo first ${unique} && echo second\n`;
    const how = { ...(await withDockerfile(dockerfile)), stateDir: await scratchDir("state") };
    const callers = [0, 1].map(() => ({ lines: [] as string[], progress: [] as Progress[] }));
    const [one, two] = await Promise.all(
      callers.map(({ lines, progress }) =>
        ensureImage(engine, {
          ...how,
          onProgress: (what) => progress.push(what),
          onOutput: (line) => lines.push(line),
        }),
      ),
    );
    expect(one).toEqual(two);
    const image = must(one ?? refusedNothing());
    onTestFinished(() => engine.docker.getImage(image.tag).remove({ force: true }));
    const builders = callers.filter(({ lines }) => lines.some((line) => /^step 1\//i.test(line)));
    expect(builders).toHaveLength(1);
    expect(builders[0]?.lines).toContain("second");
    const count = (builders[0]?.progress.length ?? 0) - 1;
    expect(count).toBeGreaterThanOrEqual(3);
    const title = "Building the sandbox's image, once";
    expect(builders[0]?.progress.map(textOf)).toEqual([
      title,
      ...Array.from({ length: count }, (_, n) => `${title}: step ${n + 1} of ${count}`),
    ]);
  });

  it("rebuilds an existing image only on request, and then without the engine's cache", async () => {
    const dockerfile = `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo ${process.hrtime.bigint()}; date +%N > /built\n`;
    const how = { ...(await withDockerfile(dockerfile)), stateDir: await scratchDir("state") };
    const first = must(await ensureImage(engine, how));
    onTestFinished(() => engine.docker.getImage(first.tag).remove({ force: true }));
    expect(must(await ensureImage(engine, how))).toEqual(first);
    const progress: Progress[] = [];
    const onProgress = (what: Progress) => progress.push(what);
    const second = must(await ensureImage(engine, { ...how, rebuild: true, onProgress }));
    onTestFinished(() => engine.docker.getImage(first.id).remove({ force: true }));
    expect(second.tag).toBe(first.tag);
    expect(second.id).not.toBe(first.id);
    // The first build has measured how long the steps take.
    expect(progress.map(textOf).at(-1)).toMatch(
      /^Building the sandbox's image: step (\d+) of \1, less than a minute$/,
    );
  });

  it("reports a failed build with the last lines of the command", async () => {
    const how = await withDockerfile(
      `ARG BASE_IMAGE\nFROM \${BASE_IMAGE}\nRUN echo E: Unable to locate package nodejs && exit 100\n`,
    );
    const error = refused(await ensureImage(engine, how));
    expect(error.kind).toBe("image_build_failed");
    expect(error.message).toContain("returned a non-zero code: 100");
    expect(error.message).toContain("E: Unable to locate package nodejs");
    expect(error.fix).toContain("docker pull");
  });

  it("accepts the user's own image, and login shells find its programs", async () => {
    const { id } = await testImage(engine);
    const image = must(
      await ensureImage(engine, {
        ...(await imageOptions()),
        image: await plainImage(
          `FROM ${id}\nRUN mkdir /opt/tools && printf '#!/bin/sh\\necho mine' > /opt/tools/mine && chmod +x /opt/tools/mine && rm /usr/local/bin/npx\nENV PATH=/opt/tools:/usr/bin:/bin\nENTRYPOINT ["/bin/false"]\nUSER 1234\nHEALTHCHECK CMD false\nVOLUME /data\n`,
        ),
      }),
    );
    removeLater(image);
    const sandbox = await open(engine, await options(image, await repository()));
    const { stdout, exitCode } = await sh(
      sandbox,
      "mine; bash -lc 'mine; codex --version; npx --version'; id -u; (sleep 0.1 &); sleep 0.5; ps -e -o stat= | grep -c Z",
    );
    expect({ stdout, exitCode }).toEqual({
      stdout: `mine\nmine\n${codex}\n${npm}\n${USER.uid}\n0\n`,
      exitCode: 1,
    });
  });

  it("says exactly what the user's own image lacks", async () => {
    const base = (await imageOptions()).baseImage ?? "";
    const name = await plainImage(
      `FROM ${base}\nRUN rm -f /usr/bin/dmesg /bin/dmesg; printf '#!/bin/sh\\necho 16.20.1' > /usr/local/bin/node; chmod +x /usr/local/bin/node\n`,
    );
    const error = refused(await ensureImage(engine, { ...(await imageOptions()), image: name }));
    expect(error.kind).toBe("image_unfit");
    expect(error.message).toBe(
      `The sandbox cannot use the image ${name}: it lacks node 18 or newer (it has 16.20.1), git, dmesg (of util-linux).`,
    );
  });

  it("reports that the user's own image is not available", async () => {
    const how = { ...(await imageOptions()), image: "localhost:1/none:gone" };
    const error = refused(await ensureImage(engine, how));
    expect(error).toMatchObject({ kind: "image_missing", image: "localhost:1/none:gone" });
    expect(error.fix).toContain("docker pull localhost:1/none:gone");
  });

  it("adds the user's Dockerfile to our image, and builds it once", async () => {
    const file = (content: string) => ({ path: "/x/Dockerfile", content });
    const how = {
      ...(await imageOptions()),
      dockerfile: file(
        "ARG CODEX_CHAT_IMAGE\nFROM $CODEX_CHAT_IMAGE\nRUN echo tool > /opt/tool\nUSER 99\n",
      ),
    };
    const image = must(await ensureImage(engine, how));
    removeLater(image);
    expect(image.tag).not.toBe((await testImage(engine)).tag);
    const progress: Progress[] = [];
    const again = await ensureImage(engine, { ...how, onProgress: (what) => progress.push(what) });
    expect(again).toEqual({ ok: true, value: image });
    expect(progress).toEqual([]);
    const sandbox = await open(engine, await options(image, await repository()));
    expect((await sh(sandbox, "cat /opt/tool; id -u")).stdout).toBe(`tool\n${USER.uid}\n`);
  });

  it.each([
    ["is not based on ours", "FROM scratch\n", "image_build_failed", "check.sh"],
    [
      "fails, with its last lines",
      "ARG CODEX_CHAT_IMAGE\nFROM $CODEX_CHAT_IMAGE\nRUN echo one && echo E: no such package && exit 7\n",
      "image_build_failed",
      "E: no such package",
    ],
    [
      "asks for files of the project",
      "ARG CODEX_CHAT_IMAGE\nFROM $CODEX_CHAT_IMAGE\nCOPY secrets.txt /\n",
      "image_build_failed",
      "secrets.txt",
    ],
    [
      "takes away what the sandbox needs",
      "ARG CODEX_CHAT_IMAGE\nFROM $CODEX_CHAT_IMAGE\nRUN rm /usr/bin/git\n",
      "image_unfit",
      "it lacks git",
    ],
    [
      "only pretends to be based on ours",
      "ARG CODEX_CHAT_IMAGE\nFROM $CODEX_CHAT_IMAGE AS ours\nFROM BASE\nCOPY --from=ours /bin/sh /bin/sh\nRUN mkdir -p /opt/codex-chat && echo exit 0 > /opt/codex-chat/check.sh\n",
      "image_unfit",
      "is not made from the sandbox's own",
    ],
  ])("refuses a Dockerfile that %s", async (_title, content, kind, said) => {
    const base = await imageOptions();
    const dockerfile = {
      path: "/home/me/Dockerfile",
      content: content.replace("BASE", base.baseImage ?? ""),
    };
    const error = refused(await ensureImage(engine, { ...base, dockerfile }));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain("/home/me/Dockerfile");
    expect(error.message).toContain(said);
    expect(error.fix).toContain("FROM $CODEX_CHAT_IMAGE");
  });

  it("lists what earlier versions left behind, but not what is kept or belongs to the user", async () => {
    const current = await testImage(engine);
    const build = async (tag: string, unique: string) => {
      // Said here, since an image that is reused may have been built for somebody else.
      const uid = `${LABELS.uid}=${process.getuid?.() ?? 0}`;
      const content = `FROM ${current.id}\nLABEL unique=${unique} ${uid}\n`;
      const archive = tarStream([{ name: "Dockerfile", content }]);
      const progress = await engine.docker.buildImage(archive, { t: tag });
      expect((await followBuild(progress, () => {})).error).toBeUndefined();
      removeLater({ tag });
      return tag;
    };
    const digits = process.hrtime.bigint().toString(16).padStart(12, "0").slice(-12);
    const old = await build(`codex-chat:${digits}`, `${digits}a`);
    const mine = await build(`codex-chat-test-user:${digits}`, `${digits}b`);
    const tags = (await oldImages(engine, [current.id])).flatMap((image) => image.tags);
    expect(tags).toContain(old);
    expect(tags).not.toContain(mine);
    expect(tags).not.toContain(current.tag);
  });

  it("reports a base image that is not available", async () => {
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
      onOutput: (line) => line === "up" && stop.abort(new Error("changed my mind")),
    });
    await expect(building).rejects.toThrow("changed my mind");
  });
});

/** Removes an image after the test. */
function removeLater({ tag }: { readonly tag: string }): void {
  onTestFinished(async () => void (await engine.docker.getImage(tag).remove({ force: true })));
}

/** An image that is not ours, as a user may have it. */
async function plainImage(dockerfile: string): Promise<string> {
  const tag = `codex-chat-test-user:${process.pid}-${process.hrtime.bigint()}`;
  const progress = await engine.docker.buildImage(
    tarStream([{ name: "Dockerfile", content: dockerfile }]),
    { t: tag, networkmode: "none" },
  );
  expect((await followBuild(progress, () => {})).error).toBeUndefined();
  removeLater({ tag });
  return tag;
}

function refusedNothing(): never {
  throw new Error("there was no result");
}
