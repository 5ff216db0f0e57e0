import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { execa } from "execa";
import { makeCertificates } from "../support/certificates.ts";
import { repository } from "../support/neovim.ts";

/** Loopback, and not what is inside the sandbox, too: tools take 127.0.0.1 for their own machine. */
const ADDRESS = "127.0.0.2";
/** The names that lead there, for a host that is started with `env`. */
const NAMES = ["registry.test", "asked.test", "other.test"] as const;

/** A site on this machine that has what package managers fetch, over TLS and in clear text. */
export class Site implements AsyncDisposable {
  readonly dir: string;
  /** PEM of the authority that signed its certificate. */
  readonly authority: string;
  readonly #plain;
  readonly #tls;
  /** What was asked for, by `host path`. */
  readonly requests: string[] = [];

  private constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "codex-chat-site-"));
    const { authority, server, serverKey } = makeCertificates({
      names: NAMES,
      addresses: [ADDRESS],
    });
    this.authority = authority;
    const serve = (request: IncomingMessage, response: ServerResponse) =>
      this.#serve(request, response);
    this.#plain = createServer(serve).listen(0, ADDRESS);
    this.#tls = createTlsServer({ key: serverKey, cert: server }, serve).listen(0, ADDRESS);
  }

  /** Starts it with a repository, an npm package and a Debian archive. */
  static async start(): Promise<Site> {
    const site = new Site();
    await Promise.all([once(site.#plain, "listening"), once(site.#tls, "listening")]);
    await writeFile(join(site.dir, "hello.txt"), "Hello from the site\n");
    await Promise.all([site.#addRepository(), site.#addPackage(), site.#addArchive()]);
    return site;
  }

  get plainPort(): number {
    return (this.#plain.address() as AddressInfo).port;
  }

  get tlsPort(): number {
    return (this.#tls.address() as AddressInfo).port;
  }

  /** Its very addresses, which the configuration must name because they are not public. */
  get addresses(): string[] {
    return [`${ADDRESS}:${this.plainPort}`, `${ADDRESS}:${this.tlsPort}`];
  }

  /** `network.allow` entries of one of its names. */
  entries(name: (typeof NAMES)[number]): string[] {
    return [`${name}:${this.plainPort}`, `${name}:${this.tlsPort}`];
  }

  /** What makes the host resolve its names. */
  get env(): Readonly<Record<string, string>> {
    const preload = pathToFileURL(join(repository, "test/support/names.mjs")).href;
    return {
      NODE_OPTIONS: `--import=${preload}`,
      CODEX_CHAT_TEST_NAMES: JSON.stringify(
        Object.fromEntries([
          ...NAMES.map((name) => [name, [ADDRESS]]),
          ["rebound.test", ["10.0.0.1", "169.254.169.254"]],
        ]),
      ),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#plain, this.#tls]) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    this.requests.push(`${request.headers.host} ${path}`);
    if (path === "/mcp") {
      void serveMcp(request, response);
      return;
    }
    if (path === "/redirect") {
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end();
      return;
    }
    const file = join(this.dir, path);
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.end(readFileSync(file));
  }

  /** A repository for git's plain transport, which needs files only. */
  async #addRepository(): Promise<void> {
    const work = join(this.dir, "work");
    await mkdir(work);
    await writeFile(join(work, "cloned.txt"), "cloned\n");
    const git = (...args: string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], { cwd: work });
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-qm", "first");
    await execa("git", ["clone", "-q", "--bare", work, join(this.dir, "repo.git")]);
    await execa("git", ["update-server-info"], { cwd: join(this.dir, "repo.git") });
  }

  async #addPackage(): Promise<void> {
    const pack = join(this.dir, "pack", "package");
    await mkdir(pack, { recursive: true });
    await writeFile(join(pack, "package.json"), '{ "name": "tiny", "version": "1.0.0" }');
    const tarball = join(this.dir, "tiny-1.0.0.tgz");
    await execa("tar", ["-czf", tarball, "-C", join(this.dir, "pack"), "package"]);
    const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
    const dist = { tarball: `https://registry.test:${this.tlsPort}/tiny-1.0.0.tgz`, integrity };
    const version = { name: "tiny", version: "1.0.0", dist };
    await writeFile(
      join(this.dir, "tiny"),
      JSON.stringify({
        name: "tiny",
        "dist-tags": { latest: "1.0.0" },
        versions: { "1.0.0": version },
      }),
    );
  }

  async #addArchive(): Promise<void> {
    const deb = Buffer.from("!<arch>\nnot much of a package\n");
    await mkdir(join(this.dir, "apt"));
    await writeFile(join(this.dir, "apt", "tiny_1.0_all.deb"), deb);
    await writeFile(
      join(this.dir, "apt", "Packages"),
      [
        "Package: tiny",
        "Version: 1.0",
        "Architecture: all",
        "Maintainer: nobody <nobody@example.org>",
        "Filename: ./tiny_1.0_all.deb",
        `Size: ${deb.length}`,
        `SHA256: ${createHash("sha256").update(deb).digest("hex")}`,
        "Description: a package for a test",
        "",
      ].join("\n"),
    );
  }
}

/** An MCP server over HTTP with one tool, which says hello. */
export async function serveMcp(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "POST") {
    response.writeHead(405).end();
    return;
  }
  const { id, method, params } = JSON.parse(await text(request)) as {
    id?: number;
    method: string;
    params?: { protocolVersion?: string };
  };
  const results: Readonly<Record<string, object>> = {
    initialize: {
      protocolVersion: params?.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: "far", version: "1" },
    },
    "tools/list": { tools: [{ name: "hail", inputSchema: { type: "object", properties: {} } }] },
    "tools/call": { content: [{ type: "text", text: "Hello from afar" }] },
  };
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] ?? {} }));
}
