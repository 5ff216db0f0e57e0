import type { Egress, RelayLink } from "../../egress/index.ts";
import type { Target } from "../../egress/network/index.ts";
import type { Log } from "../../log.ts";
import { err, ok, type Result } from "../../result.ts";
import type { SandboxProcess } from "../../sandbox/engine/index.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import type { Failure } from "../failure.ts";

/** How many restarts per minute are tried before the relay counts as failed. */
const MAX_RESTARTS = 5;
const RESTARTS_MS = 60_000;

/** Options of a supervised relay. */
export type RelayOptions = {
  readonly sandbox: Pick<Sandbox, "exec" | "keeperFifo">;
  readonly egress: Pick<Egress, "attach">;
  /** The services of this machine that the settings allow. */
  readonly local?: readonly Target[];
  /** Where it listens; without them, on any ports. */
  readonly ports?: RelayPorts | undefined;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Called for each process that is started, to read its stderr. */
  readonly onProcess: (process: SandboxProcess) => void;
};

/** Where a relay listens inside. */
export type RelayPorts = Pick<RelayLink, "modelPort" | "proxyPort">;

/** A relay that is restarted when it ends. */
export type RelaySupervisor = RelayPorts & {
  /** Resolves with the reason when it is no longer restarted; never rejects. */
  readonly ended: Promise<string>;
  readonly close: () => void;
};

type Attached = { readonly link: RelayLink; readonly process: SandboxProcess };

/** Ports that no well-known service has, below those that gVisor gives to connections. */
const FIRST_PORT = 15_871;

/**
 * Ports for the first relay of a container in which nothing listens yet: known beforehand, so that
 * Codex can be started with them beside the relay.
 */
export function portsBeside(local: readonly Target[]): RelayPorts {
  const taken = new Set(local.map((service) => service.port));
  const free = Array.from({ length: local.length + 2 }, (_, n) => FIRST_PORT + n);
  const [modelPort = FIRST_PORT, proxyPort = FIRST_PORT + 1] = free.filter(
    (port) => !taken.has(port),
  );
  return { modelPort, proxyPort };
}

/**
 * Starts the relay and keeps it running: if it is killed, it is restarted on the same ports, which
 * programs inside already know. Its connections are cut, but new requests work.
 *
 * SECURITY: meanwhile another program may take the ports. It can reach nothing that it could not
 * reach before; the relay then cannot restart, and the backend ends.
 */
export async function superviseRelay(
  options: RelayOptions,
): Promise<Result<RelaySupervisor, Failure>> {
  const first = await attachRelay(options, options.ports);
  if (!first.ok) return first;
  const ports = first.value.link;
  let current: Attached | undefined = first.value;
  let isClosed = false;
  const restarts: number[] = [];

  const restart = async (): Promise<string> => {
    for (;;) {
      const reason: string = (await current?.link.closed) ?? "it was closed";
      current?.process.kill();
      current = undefined;
      const since = performance.now() - RESTARTS_MS;
      if (isClosed) return reason;
      if (restarts.filter((at) => at > since).length >= MAX_RESTARTS)
        return `${reason}, more than ${MAX_RESTARTS} times in a minute`;
      restarts.push(performance.now());
      const again = await attachRelay(options, ports);
      if (!again.ok) return again.error.message;
      current = again.value;
      if (isClosed) current.link.close();
      else options.log.warn({ reason }, "the relay ended and was started again");
    }
  };
  return ok({
    modelPort: ports.modelPort,
    proxyPort: ports.proxyPort,
    ended: restart().catch((thrown: unknown) => `it could not be started again: ${String(thrown)}`),
    close: () => {
      isClosed = true;
      current?.link.close();
      current?.process.kill();
    },
  });
}

/** Starts a relay, on the given ports only if there are any. */
async function attachRelay(
  { sandbox, egress, signal, onProcess, local = [] }: RelayOptions,
  ports: RelayPorts | undefined,
): Promise<Result<Attached, Failure>> {
  const process = await sandbox.exec({
    argv: ["sh", "/opt/codex-chat/relay.sh"],
    env: {
      CODEX_CHAT_KEEPER: sandbox.keeperFifo,
      ...(local.length === 0
        ? {}
        : { CODEX_CHAT_LOCAL: local.map((service) => service.port).join(",") }),
      ...(ports === undefined ? {} : { CODEX_CHAT_PORTS: `${ports.modelPort},${ports.proxyPort}` }),
    },
    cwd: "/",
  });
  if (!process.ok) return process;
  onProcess(process.value);
  const { stdout: readable, stdin: writable } = process.value;
  const link = await egress.attach({ readable, writable, local, signal });
  if (!link.ok) {
    process.value.kill();
    return link;
  }
  const { modelPort, proxyPort } = link.value;
  if (ports !== undefined && (modelPort !== ports.modelPort || proxyPort !== ports.proxyPort)) {
    link.value.close();
    process.value.kill();
    return err({ kind: "relay", message: "The relay listens on other ports." });
  }
  return ok({ link: link.value, process: process.value });
}
