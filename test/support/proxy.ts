/** The proxy for other hosts under a policy, and sites that it may lead to. */

import { createServer, type IncomingMessage } from "node:http";
import { AllowList } from "../../src/egress/network/allow.ts";
import type { NetworkPolicy } from "../../src/egress/network/policy.ts";
import { type EgressOptions, type Handler, listen, sayHello, setUpEgress } from "./egress.ts";

/** What a proxy is set up with. */
export type SetUp = {
  readonly allow?: readonly string[];
  /** Addresses by name; each call of the resolver takes the next list. */
  readonly names?: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly decide?: NetworkPolicy["decide"];
  readonly interfaces?: NetworkPolicy["interfaces"];
} & Pick<EgressOptions, "limits" | "baseUrl" | "upstreamProxy">;

/** An egress under a policy, and what its resolver was asked. */
export async function setUpProxy({
  allow = [],
  names = {},
  decide,
  interfaces,
  ...options
}: SetUp) {
  const list = AllowList.parse(allow);
  if (!list.ok) throw new Error(list.error);
  const asked: string[] = [];
  const egress = await setUpEgress(sayHello, {
    ...options,
    network: {
      allowed: () => list.value,
      decide: decide ?? (async () => ({ allowed: false, by: "user", why: "nobody allows it" })),
      ...(interfaces === undefined ? {} : { interfaces }),
      lookup: async (name) => {
        const answers = names[name] ?? [];
        const answer = answers[asked.filter((other) => other === name).length] ?? answers.at(-1);
        asked.push(name);
        if (answer === undefined) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
        return answer;
      },
    },
  });
  return { ...egress, asked };
}

/** A site on loopback that remembers its requests. */
export async function startSite(handler: Handler = sayHello) {
  const requests: IncomingMessage[] = [];
  const server = createServer((incoming, response) => {
    requests.push(incoming);
    handler(incoming, response);
  });
  server.on("upgrade", (incoming, socket) => {
    requests.push(incoming);
    socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n");
  });
  const port = await listen(server);
  return { requests, port };
}

/** A site that is reached by its name as well as by its address. */
export async function namedSite(handler?: Handler) {
  const site = await startSite(handler);
  const at = `site.test:${site.port}`;
  const egress = await setUpProxy({
    allow: [at, `127.0.0.1:${site.port}`],
    names: { "site.test": [["127.0.0.1"]] },
  });
  return { ...site, ...egress, at };
}
