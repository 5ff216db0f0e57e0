/** The product's way out of its sandbox, and a naive one, each with the product's own relay inside. */
import { createEgress, type Egress, type EgressLimits } from "../../src/egress/egress.ts";
import type { EgressEvent } from "../../src/egress/events.ts";
import type { TurnPass } from "../../src/egress/model/turn-gate.ts";
import type { Upstream } from "../../src/egress/model/upstream.ts";
import type { NetworkPolicy } from "../../src/egress/network/policy.ts";
import type { Target } from "../../src/egress/network/target.ts";
import { silentLog } from "../../src/log.ts";
import { ok } from "../../src/result.ts";
import type { SandboxProcess } from "../../src/sandbox/engine/process.ts";
import type { Inside } from "./containers.ts";
import { attachNaively } from "./naive-way-out.ts";
import { closeAtEnd } from "./places.ts";
import { KEY, listenAsVictim, startUpstream, type UpstreamDouble, type Victim } from "./victims.ts";

/** A relay that runs inside and what it leads to. */
export type WayOut = {
  readonly inside: Inside;
  readonly modelPort: number;
  readonly proxyPort: number;
  readonly upstream: UpstreamDouble;
  /** A service of the user's on the host's loopback. */
  readonly victim: Victim;
  /** The relay itself. */
  readonly relay: SandboxProcess;
  readonly closed: Promise<unknown>;
  /** Sends bytes to a port inside and gives what comes back. */
  readonly raw: (port: number, bytes: string, seconds?: number) => Promise<string>;
};

/** With what belongs to the product only. */
export type ProductWayOut = WayOut & {
  readonly egress: Egress;
  readonly events: EgressEvent[];
  readonly pass: TurnPass | undefined;
};

/** Opens the product's own, with a turn running unless `turn` is false. */
export async function productWayOut(
  inside: Inside,
  options: {
    readonly limits?: EgressLimits;
    readonly turn?: boolean;
    readonly authorization?: Upstream["authorization"];
    readonly network?: NetworkPolicy;
    /** Services of the host's that the relay stands for. */
    readonly local?: readonly Target[];
  } = {},
): Promise<ProductWayOut> {
  const upstream = await startUpstream();
  const events: EgressEvent[] = [];
  const egress = createEgress({
    upstream: {
      baseUrl: new URL(`http://127.0.0.1:${upstream.port}/v1`),
      authorization:
        options.authorization ?? (async () => ok([["authorization", `Bearer ${KEY}`]] as const)),
    },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.network === undefined ? {} : { network: options.network }),
    models: () => new Set(["m"]),
    onEvent: (event) => events.push(event),
    log: silentLog,
  });
  const { local = [] } = options;
  const relay = await startRelay(inside, local);
  const link = await egress.attach({ readable: relay.stdout, writable: relay.stdin, local });
  if (!link.ok) throw new Error(link.error.message);
  closeAtEnd(async () => egress.close());
  const pass = options.turn === false ? undefined : egress.beginTurn();
  return {
    ...(await common(inside, relay, upstream)),
    ...link.value,
    egress,
    events,
    pass,
  };
}

/** Opens the naive one, in which hosts of the network are ports of the victim. */
export async function naiveWayOut(
  inside: Inside,
  more: Readonly<Record<string, number>> = {},
  parsed = false,
): Promise<WayOut> {
  const upstream = await startUpstream();
  const relay = await startRelay(inside);
  const rest = await common(inside, relay, upstream);
  const hosts = Object.fromEntries(
    ["169.254.169.254", "metadata.google.internal", "evil.example"].map((name) => [
      name,
      rest.victim.port,
    ]),
  );
  const how = { upstreamPort: upstream.port, hosts: { ...hosts, ...more }, parsed };
  const ports = await attachNaively({ readable: relay.stdout, writable: relay.stdin }, how);
  return { ...rest, ...ports, closed: new Promise(() => {}) };
}

/** Starts the product's relay in a container. */
export async function startRelay(
  inside: Inside,
  local: readonly Target[] = [],
): Promise<SandboxProcess> {
  const relay = await inside.start({
    argv: ["node", "/opt/codex-chat/relay.mjs"],
    env: { CODEX_CHAT_LOCAL: local.map(({ port }) => port).join(",") },
    cwd: "/",
  });
  relay.stderr.resume();
  closeAtEnd(async () => relay.kill());
  return relay;
}

async function common(inside: Inside, relay: SandboxProcess, upstream: UpstreamDouble) {
  const raw = async (port: number, bytes: string, seconds = 8) => {
    const script = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; base64 -d <<< "$1" >&3; timeout $2 cat <&3' "$@"`;
    const args = [String(port), Buffer.from(bytes, "latin1").toString("base64"), String(seconds)];
    return (await inside.sh(script, { args })).stdout;
  };
  return { inside, relay, upstream, victim: await listenAsVictim(), raw };
}
