/**
 * The network, by way of what the user has allowed: to get from an allowed name to another server.
 * The control is a proxy that looks at the name and passes on the rest.
 */
import { AllowList } from "../src/egress/network/allow.ts";
import { clientHello, serverName } from "../test/support/client-hello.ts";
import { behindFirst } from "../test/support/http-ends.ts";
import { type Attempt, attempt, group, verdict } from "./catalogue.ts";
import { fortress } from "./support/containers.ts";
import { hostPlace, lazily } from "./support/places.ts";
import { listenAsVictim, type Victim } from "./support/victims.ts";
import { naiveWayOut, productWayOut, type WayOut } from "./support/way-out.ts";

const inside = lazily(async () => fortress(await hostPlace("allowed")));
const site = lazily(listenAsVictim);
const private_ = lazily(listenAsVictim);

/** The site and its address are allowed; of the private service's names one is, its address never. */
const product = lazily(async () => {
  const [good, secret] = [(await site()).port, (await private_()).port];
  const list = AllowList.parse([
    `good.example:${good}`,
    `127.0.0.1:${good}`,
    `inner.example:${secret}`,
  ]);
  const local = [{ host: "127.0.0.1", port: good, isAddress: true }];
  if (!list.ok) throw new Error(list.error);
  return productWayOut(await inside(), {
    local,
    network: {
      allowed: () => list.value,
      decide: async () => ({ allowed: false, by: "user", why: "nobody allows it" }),
      lookup: async () => ["127.0.0.1"],
    },
  });
});
const control = lazily(async () => {
  const [good, secret] = [(await site()).port, (await private_()).port];
  return naiveWayOut(await inside(), { "good.example": good, "inner.example": secret });
});

/** Sends bytes to the proxy; `words` must not come to the victim. */
function getsNot(
  name: string,
  tries: string,
  mustHappen: string,
  victim: () => Promise<Victim>,
  words: string,
  bytes: (good: number, secret: number) => string,
): Attempt {
  return attempt<WayOut>({
    name,
    tries,
    mustHappen,
    strike: async (out) => {
      const server = await victim();
      const before = server.heard.length;
      const sent = bytes((await site()).port, (await private_()).port);
      const answer = await out.raw(out.proxyPort, sent, 4);
      const came = server.heard.slice(before).some((heard) => heard.includes(words));
      return verdict(came, answer.split("\r\n").slice(0, 1).join("") || "no answer");
    },
    product,
    control,
  });
}

/**
 * Opens a connection for each service that a frame can name and sends bytes on it, as the relay
 * whose model is at this port would.
 */
const OPEN_ALL = `
import glob, os, struct, sys
port, words = sys.argv[1], sys.argv[2].encode()
inode = next(l.split()[9] for l in open('/proc/net/tcp') if l.split()[1] == '0100007F:%04X' % int(port))
pid = next(p.split('/')[2] for p in glob.glob('/proc/[0-9]*/fd/*')
  if os.access(p, os.R_OK) and os.readlink(p) == 'socket:[%s]' % inode)
out = open('/proc/%s/fd/1' % pid, 'wb', buffering=0)
frame = lambda type, id, load: struct.pack('>BII', type, id, len(load)) + load
for service in range(1, 256):
  id = 1000000 + service
  out.write(frame(2, id, bytes([service])) + frame(3, id, words))
print('sent')
`;

const parsing = lazily(async () =>
  naiveWayOut(await inside(), { "good.example": (await site()).port }, true),
);

/** Hides a request to another site in the body of an allowed one, whose length is told so. */
function smugglesNot(name: string, tries: string, headers: string): Attempt {
  const hidden = "GET /second HTTP/1.1\r\nhost: evil.example\r\n\r\n";
  const way = `GET http://good.example`;
  return attempt<WayOut>({
    name,
    tries,
    mustHappen: "the site reads it as the body of the first request",
    strike: async (out) => {
      const { port, heard } = await site();
      const before = heard.length;
      const framing = `${headers}content-length: ${hidden.length}\r\n\r\n${hidden}`;
      await out.raw(
        out.proxyPort,
        `${way}:${port}/ HTTP/1.1\r\nhost: good.example:${port}\r\n${framing}`,
        2,
      );
      const came = heard.slice(before);
      if (came.length === 0) return verdict(true, "the site was not reached at all");
      const second = came.map(behindFirst).find((text) => text.includes("/second"));
      return verdict(second !== undefined, second?.split("\r\n")[0] ?? "one request, with a body");
    },
    product,
    control: parsing,
  });
}

const hello = clientHello(serverName("evil.example")).toString("latin1");

group("network", [
  getsNot(
    "server name in TLS",
    "opens a tunnel to an allowed name and asks for another server in the TLS greeting",
    "the greeting does not reach the site",
    site,
    "evil.example",
    (good) => `CONNECT good.example:${good} HTTP/1.1\r\n\r\n${hello}`,
  ),
  getsNot(
    "no TLS in a tunnel",
    "opens a tunnel to an allowed name and speaks something else in it",
    "no byte reaches the site",
    site,
    "SSH-2.0",
    (good) => `CONNECT good.example:${good} HTTP/1.1\r\n\r\nSSH-2.0-attacker\r\n`,
  ),
  getsNot(
    "Host behind an allowed name",
    "asks for an allowed address and for another site in the Host header",
    "the site never sees the other name",
    site,
    "evil.example",
    (good) => `GET http://good.example:${good}/ HTTP/1.1\r\nhost: evil.example\r\n\r\n`,
  ),
  getsNot(
    "second request behind an allowed one",
    "sends a request for another path behind an allowed request on the same connection",
    "the second one goes nowhere",
    site,
    "/second",
    (good) =>
      `GET http://good.example:${good}/ HTTP/1.1\r\nhost: good.example:${good}\r\n\r\nGET /second HTTP/1.1\r\nhost: evil.example\r\n\r\n`,
  ),
  getsNot(
    "allowed name of a private address",
    "asks for an allowed name whose owner points it at the user's own machine",
    "the private address is not dialled",
    private_,
    "GET",
    (_good, secret) =>
      `GET http://inner.example:${secret}/ HTTP/1.1\r\nhost: inner.example\r\n\r\n`,
  ),
  smugglesNot(
    "length behind two thousand headers",
    "gives the length of a body after more headers than a library counts",
    "a:b\r\n".repeat(2100),
  ),
  smugglesNot(
    "length of one connection",
    "declares the length of its body as hop-by-hop",
    "connection: content-length\r\n",
  ),
  attempt<WayOut>({
    name: "service that has no port",
    tries: "writes frames into the relay's output that open every service there might be",
    mustHappen: "no service that is not allowed is reached",
    strike: async (out) => {
      const { port, reached } = await private_();
      const before = reached();
      const words = `GET / HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`;
      const wrote = await out.inside.sh('python3 -c "$@"', {
        args: [OPEN_ALL, String(out.modelPort), words],
      });
      // What was sent later has been looked at, and so has that.
      await out.raw(out.proxyPort, "GET / HTTP/1.1\r\n\r\n", 2);
      return verdict(reached() > before, wrote.stdout.trim() || wrote.stderr);
    },
    product,
    control,
  }),
]);
