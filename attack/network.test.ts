/**
 * The network, straight from a socket: to reach anything at all without the relay. The control is a
 * plain container with the host's network, as `docker run --network host` gives.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { type Attempt, attempt, group, type Verdict, verdict } from "./catalogue.ts";
import { fortress, type Inside, weakened, withHost } from "./support/containers.ts";
import { closeAtEnd, freshDir, hostPlace, lazily } from "./support/places.ts";
import { listenAsVictim, type Victim } from "./support/victims.ts";

/** A container and a directory of its, the same on the host. */
type Target = { readonly inside: Inside; readonly dir: string };

const product = lazily(async (): Promise<Target> => {
  const inside = await fortress(await hostPlace("network"));
  return { inside, dir: inside.place.project };
});

const control = lazily(async (): Promise<Target> => {
  const dir = join(await freshDir("host-network"), "project");
  await mkdir(dir);
  const inside = await weakened({
    runtime: "runc",
    mounts: [dir],
    // Only root may open raw sockets at all.
    weaken: (options) =>
      withHost(
        { ...options, User: "0:0" },
        {
          NetworkMode: "host",
          CapDrop: [],
          CapAdd: ["NET_RAW"],
          SecurityOpt: ["seccomp=unconfined"],
        },
      ),
  });
  return { inside, dir };
});

function reachesNothing(
  name: string,
  tries: string,
  strike: (target: Target) => Promise<Verdict>,
): Attempt {
  const mustHappen = "nothing outside of the sandbox is reached";
  return attempt({ name, tries, mustHappen, strike, product, control });
}

function reached(victim: Victim): Verdict {
  const count = victim.reached();
  return verdict(count > 0, `the host's service was reached ${count} times`);
}

/** Runs a Python program inside; its words are the verdict's. */
async function python(inside: Inside, program: string, ...args: readonly string[]) {
  return (await inside.sh('python3 -c "$@"', { args: [program, ...args] })).stdout.trim();
}

/** The addresses that the host has on other devices than loopback. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter((entry) => !entry.internal && entry.family === "IPv4")
    .map((entry) => entry.address);
}

const OPEN_ALL = `
import socket
opened = set()
for family in range(1, 60):
    for kind in (1, 2, 3, 5):
        for protocol in (0, 1, 17, 255):
            try: socket.socket(family, kind, protocol).close(); opened.add(family)
            except OSError: pass
print(*sorted(opened - {1, 2, 10, 16}))`;

const OPEN_RAW = `
import socket
for family, protocol in ((2, 1), (2, 255), (10, 58), (17, 768)):
    try: socket.socket(family, 3, protocol).close(); print("opened", family, protocol)
    except OSError: pass`;

const ROUTES = `
import socket, sys
for address in sys.argv[1:]:
    try:
        it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); it.connect((address, 53)); print(address, end=" ")
    except OSError: pass`;

const CONNECT_UNIX = `
import socket, sys
name = sys.argv[1].replace("@", chr(0), 1)
# Node fills an abstract name up to its full length.
for path in (name, name.ljust(108, chr(0))):
    try: it = socket.socket(socket.AF_UNIX); it.settimeout(5); it.connect(path); it.send(b"hello"); print(it.recv(99))
    except OSError: pass`;

group("network", [
  reachesNothing(
    "host's loopback",
    "connects to a service on the host's 127.0.0.1",
    async ({ inside }) => {
      const victim = await listenAsVictim();
      await inside.sh(`bash -c 'echo hello > /dev/tcp/127.0.0.1/${victim.port}'`);
      return reached(victim);
    },
  ),
  reachesNothing(
    "host's other addresses",
    "connects to each of the host's addresses and those of container bridges",
    async ({ inside }) => {
      const victim = await listenAsVictim({ host: "0.0.0.0" });
      const addresses = ["127.0.0.2", "172.17.0.1", "10.0.2.2", "192.168.65.2", ...ownAddresses()];
      await inside.sh(
        `for at in "$@"; do timeout 2 bash -c "echo hello > /dev/tcp/$at/${victim.port}" & done; wait`,
        { args: addresses },
      );
      return reached(victim);
    },
  ),
  reachesNothing("datagrams", "sends a DNS query to a resolver on the host", async ({ inside }) => {
    const socket = createSocket("udp4");
    closeAtEnd(async () => void socket.close());
    let count = 0;
    socket.on("message", () => count++);
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address() as AddressInfo;
    await inside.sh(
      `bash -c 'for n in 1 2 3; do printf "\\x12\\x34\\x01\\x00\\x00\\x01" > /dev/udp/127.0.0.1/${port}; sleep 0.1; done'`,
    );
    return verdict(count > 0, `${count} datagrams came to the host`);
  }),
  reachesNothing(
    "routes",
    "asks for a route to the metadata service, to a name server and to the host's network",
    async ({ inside }) => {
      const found = await python(inside, ROUTES, "169.254.169.254", "8.8.8.8", ...ownAddresses());
      return verdict(found !== "", found === "" ? "no route to anywhere" : `routes to ${found}`);
    },
  ),
  reachesNothing("raw sockets", "opens raw IP and packet sockets", async ({ inside }) => {
    const found = await python(inside, OPEN_RAW);
    return verdict(found !== "", found.replaceAll("\n", ", ") || "none opens");
  }),
  reachesNothing(
    "every address family",
    "opens sockets of all families, types and protocols: vsock, packet, alg, bluetooth, …",
    async ({ inside }) => {
      const found = await python(inside, OPEN_ALL);
      return verdict(
        found !== "",
        found === "" ? "none but unix, inet, inet6 and netlink" : `families ${found}`,
      );
    },
  ),
  reachesNothing(
    "abstract sockets",
    "connects to an abstract unix socket of the host, such as the plugin's own locks",
    async ({ inside }) => {
      const name = `codex-chat-attack-${process.pid}-${Math.random()}`;
      const victim = await listenAsVictim({ path: `\0${name}` });
      await python(inside, CONNECT_UNIX, `@${name}`);
      return reached(victim);
    },
  ),
  reachesNothing(
    "sockets in the project",
    "connects to a unix socket that a program on the host has opened in the project",
    async ({ inside, dir }) => {
      const path = join(dir, "server.sock");
      const victim = await listenAsVictim({ path });
      await python(inside, CONNECT_UNIX, path);
      return reached(victim);
    },
  ),
  reachesNothing(
    "pipes in the project",
    "writes into a named pipe that a program on the host reads",
    async ({ inside, dir }) => {
      const path = join(dir, "pipe");
      await execa("mkfifo", [path]);
      // A program that obeys what it reads, on the host.
      const reader = execa("cat", [path], { reject: false, timeout: 4000 });
      await inside.sh(`timeout 2 sh -c 'echo do it > "$0"' "$1"`, { args: [path] });
      const { stdout = "" } = await reader;
      return verdict(stdout !== "", `the host's program read ${JSON.stringify(stdout)}`);
    },
  ),
]);
