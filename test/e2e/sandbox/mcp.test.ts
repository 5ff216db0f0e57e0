import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { functionCall, message, reply } from "../../../src/offline/reply.ts";
import { followBuild } from "../../../src/sandbox/image/build-log.ts";
import { tarStream } from "../../../src/tar.ts";
import { Site, serveMcp } from "../site.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

/** A server of tools over stdio with one tool, `hail`. */
const SERVER = `#!/usr/bin/env node
const { createInterface } = require("node:readline");
const say = (it) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...it }) + "\\n");
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  const results = {
    initialize: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} },
      serverInfo: { name: "x", version: "1" } },
    "tools/list": { tools: [{ name: "hail", inputSchema: { type: "object", properties: {} } }] },
    "tools/call": { content: [{ type: "text", text: "Hello from inside" }] },
  };
  if (id !== undefined) say({ id, result: results[method] ?? {} });
});
`;
const LATE = "setTimeout(() => require('./server.cjs'), 3000);";
const GATED =
  "const wait = setInterval(() => { if (require('node:fs').existsSync('go')) { clearInterval(wait); require('./server.cjs'); } }, 50);";
const NEEDS_KEY =
  "if (!process.env.KEY) { console.error('boom: no KEY'); process.exit(3); } require('./server.cjs');";
const ANSWERS_ERROR =
  "process.stdin.once('data', () => console.log(JSON.stringify({ jsonrpc: '2.0', id: 0, error: { code: -32000, message: 'not today' } })));";

/** A server over HTTP that wants a token, and what is none. */
async function serveHttp() {
  const server = createServer((request, response) => {
    if (request.url === "/gone") response.writeHead(404).end("no such page");
    else if (request.url === "/page") response.end("<html>");
    else if (request.headers.authorization === "Bearer t0ken") void serveMcp(request, response);
    else response.writeHead(401, { "www-authenticate": "Bearer" }).end();
  }).listen(0, "127.0.0.2");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.2:${(server.address() as AddressInfo).port}`;
}

/** The image that uv's makers publish, as far as its place of the programs goes. */
async function publishUv(place: Place): Promise<void> {
  const name = "ghcr.io/astral-sh/uv:latest";
  const image = place.docker.getImage(name);
  if (
    await image.inspect().then(
      () => true,
      () => false,
    )
  )
    return;
  const uvx = `#!/bin/sh\n[ "$1" = mcp-server-x ] && exec node "$PWD/server.cjs"\n`;
  const context = tarStream([
    { name: "Dockerfile", content: "FROM scratch\nCOPY uv uvx /\n" },
    { name: "uv", content: uvx, executable: true },
    { name: "uvx", content: uvx, executable: true },
  ]);
  const built = await place.docker.buildImage(context, { t: name });
  expect((await followBuild(built, () => {})).error).toBeUndefined();
  onTestFinished(() => image.remove({ force: true }));
}

it("each MCP server that fails to start is reported with a fix that works", SLOW, async () => {
  await using place = await Place.make({ git: false });
  await using model = await ScriptedModel.start();
  await publishUv(place);
  const http = await serveHttp();
  const file = (name: string) => join(place.project, name);
  const write = async (name: string, text: string, mode: number) => {
    await writeFile(file(name), text);
    await chmod(file(name), mode);
  };
  await write("server.cjs", SERVER, 0o755);
  await write("late.cjs", LATE, 0o644);
  await write("key.cjs", NEEDS_KEY, 0o644);
  await write("gated.cjs", GATED, 0o644);
  await write("error.cjs", ANSWERS_ERROR, 0o644);
  await write("closed.cjs", SERVER, 0o644);
  const failing = {
    uvx: { command: "uvx", args: ["mcp-server-x"] },
    program: { command: "no-such-server" },
    docker: { command: "docker", args: ["run", "-i", "mcp/x"] },
    path: { command: "/home/me/bin/server" },
    closed: { command: file("closed.cjs") },
    key: { command: "node", args: ["key.cjs"] },
    late: { command: "node", args: ["late.cjs"], startup_timeout_sec: 1 },
    error: { command: "node", args: ["error.cjs"] },
    login: { url: `http://${http}/` },
    gone: { url: `http://${http}/gone` },
    page: { url: `http://${http}/page` },
    dead: { url: "http://127.0.0.2:1/" },
    denied: { url: "https://example.org/mcp" },
  };
  const network = { allow: [http, "127.0.0.2:1"] };
  model.answer(() => reply(message("Hi.")));
  {
    await using chat = await Conversation.open({
      place,
      model,
      config: { mcp_servers: failing, network },
    });
    expect(await chat.ask("Hi.")).toEqual({ status: "completed" });
    const text = (await chat.body()).replaceAll(http, "HOST").replaceAll(place.project, "/project");
    const notes = [
      ...text.matchAll(/The MCP server .(\w+). (?:could not be started|is left out): (.*)/g),
    ];
    expect(Object.fromEntries(notes.map(([, name, why]) => [name, why]))).toMatchInlineSnapshot(`
      {
        "closed": "/project/closed.cjs may not be executed: \`chmod +x /project/closed.cjs\`. Then \`:CodexChat sandbox stop\`, and send again.",
        "dead": "network access to 127.0.0.2:1 is refused: nothing listens there. Check \`mcp_servers.dead.url\`, which must be an MCP server over HTTP (streamable).",
        "denied": "it is reached at example.org over the network; network.allow = { "example.org" } allows that.",
        "docker": "docker is not in the sandbox's image. MCP servers run inside the sandbox, where there are no containers: start the program itself that docker would run, with npx or uvx for instance. Then \`:CodexChat sandbox stop\`, and send again.",
        "error": "it answered with an error: not today. It must speak MCP over its input and output; \`:CodexChat sandbox shell node error.cjs\` shows what it says.",
        "gone": "it answered with HTTP 404. Check \`mcp_servers.gone.url\`, which must be an MCP server over HTTP (streamable).",
        "key": "it ended before it answered. \`:CodexChat sandbox shell node key.cjs\` shows what it says.",
        "late": "it did not answer within 1 s. If it waited for your answer about a host, \`network.allow\` takes that host. \`mcp_servers.late.startup_timeout_sec\` gives it more time. Then \`:CodexChat sandbox stop\`, and send again.",
        "login": "HOST wants a login, which a server in the sandbox cannot have. It can have a token: name the token's variable in \`mcp_servers.login.bearer_token_env_var\` and set that in \`sandbox.env\`, where everything inside can read it. Then \`:CodexChat sandbox stop\`, and send again.",
        "page": "the server there does not speak MCP. Check \`mcp_servers.page.url\`, which must be an MCP server over HTTP (streamable).",
        "path": "/home/me/bin/server is not in the sandbox, or the program that its first line names is not. MCP servers run inside the sandbox, which has the project and its image: put the server into the project, show it with \`sandbox.mounts\`, or install it with \`sandbox.dockerfile\`. Then \`:CodexChat sandbox stop\`, and send again.",
        "program": "no-such-server is not in the sandbox's image. MCP servers run inside the sandbox. Install it with \`sandbox.dockerfile\`, or name an image that has it in \`sandbox.image\`. Then \`:CodexChat sandbox stop\`, and send again. See :help codex-chat-image.",
        "uvx": "uvx is not in the sandbox's image. MCP servers run inside the sandbox. Name a file in \`sandbox.dockerfile\` that has these lines: \`ARG CODEX_CHAT_IMAGE\`, \`FROM $CODEX_CHAT_IMAGE\`, \`COPY --from=ghcr.io/astral-sh/uv:latest /uv /uvx /usr/local/bin/\`. Then \`:CodexChat sandbox stop\`, and send again. See :help codex-chat-image.",
      }
    `);
    // As the note about `key` says.
    await chat.command("sandbox shell node key.cjs");
    await expect
      .poll(
        () =>
          chat.nvim.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')"),
        WAIT,
      )
      .toContain("boom: no KEY");
    await chat.nvim.lua("vim.cmd.stopinsert() vim.cmd('bwipeout!')");
  }

  // All of it is followed.
  await write("closed.cjs", SERVER, 0o755);
  await writeFile(
    join(place.home, "Dockerfile"),
    [
      "ARG CODEX_CHAT_IMAGE",
      "FROM $CODEX_CHAT_IMAGE",
      "COPY --from=ghcr.io/astral-sh/uv:latest /uv /uvx /usr/local/bin/",
      `RUN printf '#!/bin/sh\\nexec node "$PWD/server.cjs"\\n' > /usr/local/bin/no-such-server && chmod +x /usr/local/bin/no-such-server`,
    ].join("\n"),
  );
  await using chat = await Conversation.open({
    place,
    model,
    config: {
      mcp_servers: {
        ...failing,
        docker: { command: "node", args: ["server.cjs"] },
        path: { command: file("server.cjs") },
        key: { ...failing.key, env: { KEY: "1" } },
        late: { ...failing.late, startup_timeout_sec: 30 },
        error: { command: "node", args: ["server.cjs"] },
        login: { ...failing.login, bearer_token_env_var: "TOKEN" },
        gone: { ...failing.login, bearer_token_env_var: "TOKEN" },
        page: { ...failing.login, bearer_token_env_var: "TOKEN" },
        dead: { ...failing.login, bearer_token_env_var: "TOKEN" },
        denied: { ...failing.login, bearer_token_env_var: "TOKEN" },
        gated: { command: "node", args: ["gated.cjs"] },
      },
      network,
      sandbox: { dockerfile: join(place.home, "Dockerfile"), env: { TOKEN: "t0ken" } },
    },
  });
  await chat.startAnew();
  const calls = model.recorded.length;
  await chat.send("Hi.");
  // The model is asked once they have started, and has their tools.
  await expect.poll(() => chat.state("detail"), WAIT).toBe("Waiting for MCP servers: gated");
  expect(model.recorded).toHaveLength(calls);
  await writeFile(file("go"), "");
  expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
  expect((await chat.body()).match(/MCP server.*/g)).toBeNull();
});

it(
  "an MCP server that has to fetch its program asks the user, and starts once that is allowed",
  SLOW,
  async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using site = await Site.start();
    await publish(site, "hail-server", SERVER);
    const ca = join(place.project, "ca.pem");
    await writeFile(ca, site.authority);
    const registry = `https://asked.test:${site.tlsPort}/`;
    await using chat = await Conversation.open({
      place,
      model,
      env: site.env,
      config: {
        mcp_servers: {
          fetched: {
            command: "npx",
            args: ["-y", "hail-server"],
            env: { npm_config_registry: registry, NODE_EXTRA_CA_CERTS: ca },
            default_tools_approval_mode: "approve",
          },
        },
        // The names of the test lead to an address that is not public.
        network: { allow: site.addresses },
      },
    });
    model.answerInTurn(reply(message("Without it, then.")));
    await chat.send("Hail them.");
    await chat.waitForQuestion();
    await chat.answer("d<CR>");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toMatch(/`fetched` could not be started: .*`network.allow = .*stop`/);

    await chat.command("sandbox stop");
    await expect.poll(() => place.containers(), WAIT).toEqual([]);
    model.answerInTurn(reply(functionCall("hail", {}, "mcp__fetched")), reply(message("Done.")));
    await chat.send("Hail them.");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain(`**Asks** to reach \`asked.test:${site.tlsPort}\``);
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs().at(-1)).toContain("Hello from inside");
  },
);

/** Puts a package with one program of its name into the site, as a registry has it. */
async function publish(site: Site, name: string, program: string): Promise<void> {
  const pack = join(site.dir, `${name}.pack`);
  await mkdir(join(pack, "package"), { recursive: true });
  onTestFinished(() => rm(pack, { recursive: true, force: true }));
  const manifest = { name, version: "1.0.0", bin: { [name]: "main.cjs" } };
  await writeFile(join(pack, "package/package.json"), JSON.stringify(manifest));
  await writeFile(join(pack, "package/main.cjs"), program, { mode: 0o755 });
  const tarball = join(site.dir, `${name}-1.0.0.tgz`);
  execFileSync("tar", ["-czf", tarball, "-C", pack, "package"]);
  const digest = createHash("sha512").update(readFileSync(tarball)).digest("base64");
  const url = `https://asked.test:${site.tlsPort}/${name}-1.0.0.tgz`;
  const dist = { tarball: url, integrity: `sha512-${digest}` };
  const versions = { "1.0.0": { ...manifest, dist } };
  await writeFile(
    join(site.dir, name),
    JSON.stringify({ name, "dist-tags": { latest: "1.0.0" }, versions }),
  );
}
