import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { itUnlessRoot } from "../../../test/support/root.ts";
import { findEngine } from "./engine.ts";

async function socketDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-sock-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function errorOf(host: string) {
  const result = await findEngine({ env: {}, host });
  if (result.ok) throw new Error("found an engine");
  return result.error;
}

describe("findEngine", () => {
  it.each([
    ["tcp://127.0.0.1:2375", "over the network"],
    ["ssh://user@host", "another machine's"],
    ["npipe:////./pipe/docker_engine", "a pipe of Windows"],
    ["nonsense", "not a local unix socket"],
  ])("refuses %s because the project is mounted from this machine", async (host, why) => {
    const error = await errorOf(host);
    expect(error.message).toContain(why);
    expect(error.kind).toBe("engine_remote");
    expect(error.message).toContain(host);
    expect(error.message).toContain("mounted from this machine");
  });

  it("says how to return from a remote engine, depending on the setting that named it", async () => {
    const result = await findEngine({ env: { DOCKER_HOST: "ssh://user@host" } });
    expect(result).toMatchObject({ ok: false, error: { kind: "engine_remote" } });
    if (!result.ok) expect(result.error.fix).toContain("unset DOCKER_HOST");
    const missing = await findEngine({ env: { HOME: "/nowhere", DOCKER_CONTEXT: "gone" } });
    if (missing.ok) throw new Error("found an engine");
    expect(missing.error.message).toContain('docker context "gone" names has no address: there is');
    expect(missing.error.fix).toContain("docker context use default");
  });

  it("says that a named socket does not exist", async () => {
    const error = await errorOf("unix:///no/such/docker.sock");
    expect(error.kind).toBe("engine_unreachable");
    expect(error.message).toContain("/no/such/docker.sock");
    expect(error.message).toContain("there is no such socket");
    expect(error.fix).toContain("sudo systemctl start docker");
  });

  it("says that nothing listens on a socket that a dead engine left", async () => {
    const path = join(await socketDir(), "docker.sock");
    await execa("python3", [
      "-c",
      "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])",
      path,
    ]);
    expect((await errorOf(path)).message).toContain("nothing listens there");
  });

  it.each([
    ["Docker", { SecurityOptions: ["name=seccomp,profile=default", "name=rootless"] }],
    ["Podman Engine", { SecurityOptions: ["name=seccomp"], Rootless: true, PidsLimit: false }],
  ])("recognizes a rootless %s and the limits that it cannot set", async (product, said) => {
    const path = join(await socketDir(), "engine.sock");
    const server = createServer((request, response) => {
      const version = { Version: "4.3.1", Components: [{ Name: product }] };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(request.url?.includes("version") ? version : said));
    });
    server.listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const found = await findEngine({ env: {}, host: path });
    if (!found.ok) throw new Error(found.error.message);
    const unlimited = "PidsLimit" in said ? ["pids"] : [];
    expect(found.value).toMatchObject({ rootless: true, unlimited });
  });

  it("refuses a server that answers but is not an engine", async () => {
    const path = join(await socketDir(), "docker.sock");
    const server = createServer((_request, response) => response.writeHead(404).end("nope"));
    server.listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    expect((await errorOf(path)).kind).toBe("engine_unreachable");
  });

  itUnlessRoot("names the group of a socket that this user may not open", async () => {
    const path = join(await socketDir(), "docker.sock");
    const server = createServer().listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    await chmod(path, 0);
    // The number where the group has no name.
    const { stdout: group } = await execa("id", ["-gn"], { reject: false });
    const error = await errorOf(path);
    expect(error).toMatchObject({ kind: "engine_unreachable", permission: true });
    expect(error.message).toContain(`may not open ${path}`);
    expect(error.message).toContain(`the group "${group}"`);
    expect(error.fix).toContain(`sudo usermod -aG ${group} "$USER"`);
  });
});
