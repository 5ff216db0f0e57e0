import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { listen, setUpEgress } from "../../test/support/egress.ts";
import { AllowList } from "./network/allow.ts";
import type { NetworkPolicy } from "./network/policy.ts";
import type { Target } from "./network/target.ts";

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

type SetUp = {
  readonly model?: (port: number) => URL;
  readonly target?: Omit<Target, "port">;
  /** Where the service listens. */
  readonly host?: string;
};

/** A service of this machine, and a relay that offers it. */
async function setUp(
  allow: (port: number) => readonly string[],
  { model, target: asked, host = "127.0.0.1" }: SetUp = {},
) {
  const service = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => socket.end(`pong ${data}`));
  });
  const port = await listen(service, host);
  const inside = await freePort();
  let list = allow(port);
  const network: NetworkPolicy = {
    allowed: () => {
      const parsed = AllowList.parse(list);
      return parsed.ok ? parsed.value : AllowList.none;
    },
    decide: async () => ({ allowed: true, by: "user", ends: new AbortController().signal }),
  };
  const target = { host: "127.0.0.1", isAddress: true, ...asked, port };
  const { events } = await setUpEgress((_request, response) => void response.end(), {
    network,
    local: { [inside]: target },
    ...(model === undefined ? {} : { baseUrl: model(port) }),
  });
  const ask = async () => {
    const socket = connect(inside, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("ping");
    return text(socket).catch((error: NodeJS.ErrnoException) => error.code);
  };
  const forbid = () => {
    list = [];
  };
  return { ask, events, forbid, port };
}

describe("a service of this machine", () => {
  it("is reached at its port inside, in any protocol, and is recorded", async () => {
    const { ask, events, port } = await setUp((port) => [`127.0.0.1:${port}`]);
    expect(await ask()).toBe("pong ping");
    await expect.poll(() => events.map(({ type }) => type)).toContain("network_done");
    expect(events).toContainEqual(
      expect.objectContaining({ type: "network_allowed", port, method: "TCP", by: "config" }),
    );
  });

  it("is no longer reached once its exact address is removed from the configuration, without asking", async () => {
    const { ask, events, forbid, port } = await setUp((port) => [`127.0.0.1:${port}`]);
    expect(await ask()).toBe("pong ping");
    forbid();
    expect(await ask()).not.toContain("pong");
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "network_refused",
        port,
        reason: expect.stringContaining(`only network.allow with "127.0.0.1:${port}" opens it`),
      }),
    );
  });

  it("is never the model, whose calls are counted", async () => {
    const { ask } = await setUp((port) => [`127.0.0.1:${port}`], {
      model: (port) => new URL(`http://127.0.0.1:${port}/v1`),
    });
    expect(await ask()).not.toContain("pong");
  });

  it.each(["127.0.0.1", "::1"])(
    "named as localhost is found at the address where it listens: %s",
    async (host) => {
      const target = { host: "localhost", isAddress: false };
      const { ask, forbid } = await setUp((port) => [`localhost:${port}`], { target, host });
      expect(await ask()).toBe("pong ping");
      forbid();
      expect(await ask()).not.toContain("pong");
    },
  );
});

it("the local services of an allow list are those at loopback addresses and at localhost", () => {
  const list = AllowList.parse(["npm", "127.0.0.1:5432", "[::1]:80", "127.0.0.2:1", "10.0.0.1:2"]);
  const named = AllowList.parse(["localhost:5173", "localhost.example.org:2"]);
  expect(list.ok && list.value.local.map(({ host, port }) => `${host} ${port}`)).toEqual([
    "127.0.0.1 5432",
    "::1 80",
  ]);
  expect(named.ok && named.value.local.map(({ host, port }) => `${host} ${port}`)).toEqual([
    "127.0.0.1 5173",
    "::1 5173",
    "localhost 5173",
  ]);
});
