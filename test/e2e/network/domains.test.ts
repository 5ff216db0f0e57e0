/** What the tools of every day do behind the proxy, and the question that another host raises. */

import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { exec, functionCall, message, reply } from "../../../src/offline/reply.ts";
import { Site } from "../site.ts";
import { Conversation, Place, ScriptedModel, type Shared, SLOW, WAIT } from "../support.ts";

describe("domains", SLOW, () => {
  let site: Site;
  let shared: Shared;
  const owned: AsyncDisposable[] = [];
  let local: { readonly port: number; readonly closed: number };

  beforeEach(async () => {
    if (owned.length > 0) return;
    site = await Site.start();
    owned.push(site);
    local = await startLocal(owned);
    const place = await Place.make({ git: false });
    owned.push(place);
    const ca = join(place.project, "ca.pem");
    await writeFile(ca, site.authority);
    const model = await ScriptedModel.start();
    owned.push(model);
    const chat = await Conversation.open({
      place,
      model,
      env: site.env,
      config: {
        mcp_servers: {
          far: { url: plain("/mcp"), default_tools_approval_mode: "approve" },
        },
        network: {
          allow: [
            ...[...site.entries("registry.test"), ...site.addresses, "rebound.test"],
            `127.0.0.1:${local.port}`,
          ],
        },
        sandbox: {
          env: {
            CURL_CA_BUNDLE: ca,
            GIT_SSL_CAINFO: ca,
            NODE_EXTRA_CA_CERTS: ca,
          },
        },
      },
    });
    owned.push(chat);
    shared = { place, model, chat };
  }, SLOW.timeout);
  afterAll(async () => {
    for (const each of owned.reverse()) await each[Symbol.asyncDispose]();
  });
  beforeEach(() => shared.chat.startAnew());

  /** Has Codex run a command, and gives what it printed. */
  async function run(command: string): Promise<string> {
    const { chat, model } = shared;
    model.answerInTurn(reply(exec(command)), reply(message("Done.")));
    expect(await chat.ask("Run it.")).toEqual({ status: "completed" });
    return model.requests.at(-1)?.allOutputs().at(-1) ?? "";
  }

  const tls = (path: string, name = "registry.test") => `https://${name}:${site.tlsPort}${path}`;
  const plain = (path: string, name = "registry.test") => `http://${name}:${site.plainPort}${path}`;

  describe("that are allowed", () => {
    it("are reached by curl, over TLS and in clear text, by name and by address", async () => {
      const said = await run(
        `curl -sS ${tls("/hello.txt")}; curl -sS ${plain("/hello.txt")}; curl -sS ${tls("/hello.txt", "127.0.0.2")}`,
      );
      expect(said.match(/Hello from the site/g)).toHaveLength(3);
    });

    it("are reached by git", async () => {
      expect(
        await run(`git clone -q ${tls("/repo.git")} cloned && cat cloned/cloned.txt`),
      ).toContain("cloned");
    });

    it("are reached by apt-get, which fetches an index and a package", async () => {
      const options = [
        "Dir::State=/tmp/apt/state",
        "Dir::Cache=/tmp/apt/cache",
        "Dir::Etc::SourceList=/tmp/apt/list",
        "Dir::Etc::SourceParts=-",
        "Debug::NoLocking=1",
      ].map((option) => `-o ${option}`);
      const apt = `apt-get ${options.join(" ")}`;
      const said = await run(
        `mkdir -p /tmp/apt/state/lists/partial /tmp/apt/cache/archives/partial
         echo 'deb [trusted=yes allow-insecure=yes] ${plain("/apt")} ./' > /tmp/apt/list
         ${apt} -q update && cd /tmp && ${apt} -q download tiny && cat tiny_1.0_all.deb`,
      );
      expect(said).toContain("not much of a package");
    });

    it("are reached by python's own client", async () => {
      // The certificates of the test are too plain for its stricter checks.
      const said = await run(
        `python3 -c 'import ssl, urllib.request as r; print(r.urlopen("${tls("/hello.txt")}", context=ssl._create_unverified_context()).read())'`,
      );
      expect(said).toContain("Hello from the site");
    });

    it("are reached by npm, which installs a package", async () => {
      const said = await run(
        `mkdir -p installs && cd installs && echo '{}' > package.json &&
         npm install --registry ${tls("/")} --no-audit --no-fund tiny &&
         cat node_modules/tiny/package.json`,
      );
      expect(said).toContain('"name": "tiny"');
    });

    it("are reached by Codex itself, for an MCP server", async () => {
      const { chat, model } = shared;
      model.answerInTurn(reply(functionCall("hail", {}, "mcp__far")), reply(message("Done.")));
      expect(await chat.ask("Hail them.")).toEqual({ status: "completed" });
      expect(model.requests.at(-1)?.allOutputs().at(-1)).toContain("Hello from afar");
    });

    it("may be services of this machine at localhost, in any protocol, and no others", async () => {
      const { model } = shared;
      const ask = (port: number, host = "localhost") =>
        `{ exec 3<>/dev/tcp/${host}/${port} && echo ping >&3 && head -n 1 <&3; } 2>&1 | sed "s/^/${host}: /"`;
      const said = await run(
        [
          ...[ask(local.port), ask(local.port, "127.0.0.1"), ask(local.port, "::1")],
          `curl --http0.9 -sS -m 20 http://localhost:${local.port}/`,
          ask(local.closed),
        ].join("; "),
      );
      expect(said.match(/^(?:localhost|127.0.0.1|::1): pong ping$/gm)).toHaveLength(3);
      expect(said).toContain("pong GET / HTTP/1.1");
      expect(said).toMatch(/^localhost: .*Connection refused$/m);
      // Codex has been told of it.
      expect(JSON.stringify(model.requests[0]?.body)).toContain(
        `only these ports are reachable at localhost: ${local.port}.`,
      );
    });

    it("lead nowhere else, neither by a redirect nor by a name with a private address", async () => {
      const said = await run(
        `curl -sS -m 20 -L ${plain("/redirect")}; curl -sS -m 20 http://rebound.test/`,
      );
      expect(said).toContain("network access to 169.254.169.254:80 is refused");
      expect(said).toContain("network access to rebound.test:80 is refused");
    });

    it("cannot be used to reach another host", async () => {
      const fetched = () =>
        site.requests.filter((request) => request.endsWith("/hello.txt")).length;
      const before = fetched();
      const said = await run(
        `curl -sS -m 20 -H 'Host: other.test' ${plain("/hello.txt")}
         curl -sS -m 20 -k --connect-to other.test:${site.tlsPort}:registry.test:${site.tlsPort} ${tls("/hello.txt", "other.test")}; echo end`,
      );
      expect(said).toContain("names another site");
      expect(said).not.toContain("Hello");
      expect(fetched()).toBe(before);
    });
  });

  describe("that the user is asked about", () => {
    const question = () => `**Asks** to reach \`asked.test:${site.tlsPort}\``;

    /** Sends a command that asks for the host, and settles when the question stands. */
    async function askFor(command = `curl -sS -m 60 ${tls("/hello.txt", "asked.test")}`) {
      const { chat, model } = shared;
      model.answerInTurn(reply(exec(command)), reply(message("Done.")));
      await chat.send("Fetch it.");
      await chat.waitForQuestion();
      expect(await chat.text()).toContain(question());
      expect(await chat.state("phase")).toBe("waiting");
    }

    async function output(): Promise<string> {
      const { chat, model } = shared;
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      return model.requests.at(-1)?.allOutputs().at(-1) ?? "";
    }

    it("are reached once allowed for the turn, and asked about again in the next", async () => {
      const { chat } = shared;
      const url = tls("/hello.txt", "asked.test");
      await askFor(`curl -sS -m 60 ${url} && curl -sS -m 60 ${url}`);
      await chat.answer("a");
      expect((await output()).match(/Hello/g)).toHaveLength(2);
      expect(await chat.text()).toContain(`${question()} · allowed in this turn`);
      await askFor();
      await chat.answer("d<CR>");
      expect(await output()).toContain("403");
      expect(await chat.text()).toContain(`${question()} · refused`);
    });

    it("are not asked about again in a conversation that has the permission, but in another", async () => {
      const { chat } = shared;
      await askFor();
      await chat.answer("s");
      expect(await output()).toContain("Hello");
      expect(await run(`curl -sS -m 60 ${tls("/hello.txt", "asked.test")}`)).toContain("Hello");
      await chat.startAnew();
      await askFor();
      await chat.stop();
      expect((await chat.waitForTurnEnd()).status).toBe("interrupted");
    });

    it("stay allowed for the project until they are forgotten", async () => {
      const { chat } = shared;
      await askFor();
      await chat.answer("p");
      expect(await output()).toContain("Hello");
      const file = join(chat.projectDir, "network.json");
      await expect.poll(() => existsSync(file), WAIT).toBe(true);
      expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
        project: [`asked.test:${site.tlsPort}`],
      });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      await chat.startAnew();
      expect(await run(`curl -sS -m 60 ${tls("/hello.txt", "asked.test")}`)).toContain("Hello");
      await chat.command(`network forget asked.test:${site.tlsPort}`);
      await expect
        .poll(async () => (await chat.notifications()).at(-1), WAIT)
        .toContain("is no longer allowed");
      await askFor();
      await chat.answer("d<CR>");
      expect(await output()).toContain("403");
    });

    it("are refused when the turn is stopped, and without asking outside a turn", async () => {
      const { chat, place } = shared;
      await askFor();
      await chat.stop();
      expect((await chat.waitForTurnEnd()).status).toBe("interrupted");
      const proxy = `$(tr '\\0' '\\n' < /proc/$(pgrep -of app-server)/environ | sed -n 's/^HTTP_PROXY=//p')`;
      const late = await place.inside(
        `curl -sS -m 20 -x "${proxy}" ${plain("/hello.txt", "asked.test")}; curl -sS -m 20 -x "${proxy}" ${plain("/hello.txt")}`,
      );
      expect(late.stdout).toContain("no turn is running");
      // The control: what the configuration allows is reached at any time.
      expect(late.stdout).toContain("Hello from the site");
    });
  });
});

/** A service that answers each line with another, and a port at which nothing is let through. */
async function startLocal(owned: AsyncDisposable[]) {
  const listen = async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (data) => socket.end(`pong ${String(data).split(/\r?\n/)[0]}\n`));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    owned.push({ [Symbol.asyncDispose]: async () => void server.close() });
    return (server.address() as AddressInfo).port;
  };
  return { port: await listen(), closed: await listen() };
}
