import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Progress } from "../../log.ts";
import { fetchPackages, packagesCommand } from "./image-packages.ts";

const NPM = join(import.meta.dirname, "../../../node_modules/npm");

/** A release that needs one package, which lies beside it or is served at `url`. */
async function release({
  integrity,
  url = "file:thing.tgz",
  bytes = 0,
}: {
  integrity?: string;
  url?: string;
  bytes?: number;
} = {}) {
  const base = await mkdtemp(join(tmpdir(), "codex-chat-packages-"));
  onTestFinished(() => rm(base, { recursive: true }));
  vi.stubEnv("npm_config_cache", join(base, "cache"));
  const dir = join(base, "it's here");
  await mkdir(join(dir, "dist"), { recursive: true });
  await symlink(NPM, join(dir, "dist/npm"));
  await mkdir(join(base, "package"));
  const thing = { name: "thing", version: "1.0.0", scripts: { install: "touch ../../ran" } };
  await writeFile(join(base, "package/package.json"), JSON.stringify(thing));
  await writeFile(join(base, "package/large"), randomBytes(bytes));
  await execa("tar", ["-czf", join(dir, "thing.tgz"), "package"], { cwd: base });
  const tarball = await readFile(join(dir, "thing.tgz"));
  const hash = createHash("sha512").update(tarball);
  const dependencies = { thing: url };
  await writeFile(join(dir, "package.json"), JSON.stringify({ name: "release", dependencies }));
  const entry = {
    version: "1.0.0",
    resolved: url,
    integrity: integrity ?? `sha512-${hash.digest("base64")}`,
    hasInstallScript: true,
  };
  const packages = { "": { name: "release", dependencies }, "node_modules/thing": entry };
  const lock = { name: "release", lockfileVersion: 3, requires: true, packages };
  await writeFile(join(dir, "package-lock.json"), JSON.stringify(lock));
  const said: Progress[] = [];
  const fetch = (isThere = false) =>
    fetchPackages({
      dir,
      stateDir: base,
      signal: new AbortController().signal,
      onProgress: (what) => said.push(what),
      isThere: async () => isThere,
    });
  const texts = () => said.map((what) => (typeof what === "string" ? what : what.text));
  return { dir, tarball, said, texts, fetch };
}

/** Serves packages over HTTP as `answer` does. */
async function registry(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  vi.stubEnv("npm_config_fetch_retries", "0");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/thing.tgz`;
}

const MB = 1_000_000;

async function has(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

describe("the packages for the image", () => {
  it("are fetched by the npm of the release, without running their scripts", async () => {
    const { dir, said, texts, fetch } = await release();
    vi.stubEnv("npm_config_ignore_scripts", "false");
    expect(await fetch()).toEqual({ ok: true, value: undefined });
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(true);
    expect(await has(join(dir, "ran"))).toBe(false);
    expect(said).toHaveLength(1);
    expect(texts()).toEqual(["Downloading Codex, once: 175 MB"]);
  });

  it("are not fetched if another Neovim has done it meanwhile", async () => {
    const { dir, fetch } = await release();
    expect(await fetch(true)).toEqual({ ok: true, value: undefined });
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
  });

  it("are refused if their hash is not that of the lock file, with the reason and a command", async () => {
    const { dir, fetch } = await release({
      integrity: `sha512-${Buffer.alloc(64).toString("base64")}`,
    });
    const fetched = await fetch();
    if (fetched.ok) throw new Error("accepted");
    expect(fetched.error.kind).toBe("codex_missing");
    expect(fetched.error.message).toBe(
      "Codex's programs for the sandbox (175 MB) could not be downloaded: its hash is not the one in package-lock.json. A mirror or a proxy may have changed it.",
    );
    expect(fetched.error.fix).toBe(
      `cd ${dir.replace("'", "'\\''").replace(/^.*$/, "'$&'")} && node dist/npm/bin/npm-cli.js ci`,
    );
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
  });

  it.each([
    ["of how many", true, "Downloading Codex, once: 4 of 10 MB (40%)", "40%"],
    ["if nobody says of how many", false, "Downloading Codex, once: 4 MB", "4 MB"],
  ])(
    "say while they are fetched how many megabytes are there, %s",
    async (_, isSized, text, least) => {
      let served = Buffer.alloc(0);
      let rest: (() => void) | undefined;
      const url = await registry((response) => {
        if (isSized) response.setHeader("content-length", served.length);
        response.write(served.subarray(0, 4 * MB));
        rest = () => response.end(served.subarray(4 * MB));
      });
      const { dir, tarball, said, texts, fetch } = await release({ url, bytes: 10 * MB - 2000 });
      served = tarball;
      const fetched = fetch();
      await expect.poll(texts).toContain(text);
      expect(said.find((what) => typeof what === "object" && what.text === text)).toMatchObject({
        shorter: expect.arrayContaining([least]),
      });
      // What comes in one piece after that is not said byte by byte.
      const before = said.length;
      rest?.();
      expect(await fetched).toEqual({ ok: true, value: undefined });
      expect(said.length - before).toBeLessThan(20);
      expect(await has(join(dir, "node_modules/thing/large"))).toBe(true);
    },
  );

  it("are fetched by the command of the message after they were cut off", async () => {
    let isUp = false;
    let served = Buffer.alloc(0);
    const url = await registry((response) => {
      response.setHeader("content-length", served.length);
      if (isUp) response.end(served);
      else response.write(served.subarray(0, MB), () => response.destroy());
    });
    const { dir, tarball, fetch } = await release({ url, bytes: 2 * MB });
    served = tarball;
    const fetched = await fetch();
    if (fetched.ok) throw new Error("accepted");
    expect(fetched.error.message).toBe(
      "Codex's programs for the sandbox (175 MB) could not be downloaded: the connection broke off.",
    );
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
    isUp = true;
    await execa("sh", ["-c", fetched.error.fix ?? ""]);
    expect(await has(join(dir, "node_modules/thing/large"))).toBe(true);
  });

  it("are not fetched if nobody can tell whether another Neovim does so", async () => {
    const { dir, fetch } = await release();
    await writeFile(join(dir, "../locks"), "");
    expect(await fetch()).toMatchObject({
      ok: false,
      error: { kind: "codex_missing", fix: expect.stringMatching(/^ls -ld /) },
    });
    expect(await has(join(dir, "node_modules/thing/package.json"))).toBe(false);
  });

  it("are installed by npm in a checkout, which has no npm of its own", () => {
    expect(packagesCommand("/plugin")).toBe("cd /plugin && npm ci --omit=dev --include=optional");
  });
});
