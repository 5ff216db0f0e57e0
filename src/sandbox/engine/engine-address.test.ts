import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { engineAddresses, unixSocketPath } from "./engine-address.ts";

async function dockerHome(context: string, host?: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "codex-chat-docker-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, ".docker"));
  await writeFile(join(home, ".docker/config.json"), JSON.stringify({ currentContext: context }));
  if (host !== undefined) {
    const hash = createHash("sha256").update(context).digest("hex");
    const dir = join(home, ".docker/contexts/meta", hash);
    await mkdir(dir, { recursive: true });
    const meta = { Name: context, Endpoints: { docker: { Host: host, SkipTLSVerify: false } } };
    await writeFile(join(dir, "meta.json"), JSON.stringify(meta));
  }
  return home;
}

async function hosts(env: Record<string, string>, configured?: string): Promise<string[]> {
  return (await engineAddresses(env, configured, 7)).map((address) => address.host);
}

describe("engineHosts", () => {
  it("prefers the configuration to DOCKER_HOST, and that to the docker context", async () => {
    const home = await dockerHome("mine", "unix:///run/mine.sock");
    const env = { HOME: home, DOCKER_HOST: "unix:///run/env.sock" };
    expect(await hosts(env, "/run/own.sock")).toEqual(["unix:///run/own.sock"]);
    expect(await hosts(env)).toEqual(["unix:///run/env.sock"]);
    expect(await hosts({ HOME: home })).toEqual(["unix:///run/mine.sock"]);
  });

  it("looks at the usual sockets of Docker and Podman, rootful and rootless", async () => {
    const home = await dockerHome("mine", "unix:///run/mine.sock");
    const usual = (runtimeDir: string) => [
      "unix:///var/run/docker.sock",
      `unix://${runtimeDir}/docker.sock`,
      `unix://${home}/.docker/run/docker.sock`,
      `unix://${runtimeDir}/podman/podman.sock`,
      "unix:///run/podman/podman.sock",
    ];
    const env = { HOME: home, DOCKER_CONTEXT: "default" };
    expect(await hosts({ ...env, XDG_RUNTIME_DIR: "/my/run" })).toEqual(usual("/my/run"));
    expect(await hosts(env)).toEqual(usual("/run/user/7"));
  });

  it("reads the context of DOCKER_CONTEXT in the directory of DOCKER_CONFIG", async () => {
    const home = await dockerHome("other", "unix:///run/other.sock");
    const env = { HOME: "/nowhere", DOCKER_CONFIG: join(home, ".docker"), DOCKER_CONTEXT: "other" };
    expect(await hosts(env)).toEqual(["unix:///run/other.sock"]);
  });

  it("names a context that has no address instead of falling back to another engine", async () => {
    const [host, ...others] = await engineAddresses({ HOME: await dockerHome("gone") });
    expect(host).toMatchObject({ host: "", from: 'docker context "gone"', named: true });
    expect(host?.problem).toContain("there is no such context");
    expect(others).toEqual([]);
  });
});

describe("unixSocketPath", () => {
  it.each([
    ["unix:///var/run/docker.sock", "/var/run/docker.sock"],
    ["tcp://10.0.0.1:2375", undefined],
    ["ssh://me@host", undefined],
    ["npipe:////./pipe/docker_engine", undefined],
    ["unix://relative", undefined],
    ["", undefined],
  ])("reads %j as %j", (host, path) => {
    expect(unixSocketPath(host)).toBe(path);
  });
});
