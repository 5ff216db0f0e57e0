import type { DecidedBy } from "../events.ts";
import type { Interfaces } from "./address.ts";
import type { AllowList } from "./allow.ts";
import type { Lookup } from "./dial.ts";
import type { Target } from "./target.ts";

/** The decision on a host that the settings do not list. */
export type NetworkVerdict =
  | {
      readonly allowed: true;
      readonly by: DecidedBy;
      /** Aborts when the permission ends; its connections are closed then. */
      readonly ends: AbortSignal;
    }
  | {
      readonly allowed: false;
      readonly by: DecidedBy;
      /** Completes "access to … is refused: ". */
      readonly why: string;
    };

/** Decides what the sandbox may reach besides the model. */
export type NetworkPolicy = {
  /** What the settings allow; read for each connection, because it may change. */
  readonly allowed: () => AllowList;
  /** Decides the rest, if need be by asking the user. Aborted when nobody waits for it any more. */
  readonly decide: (target: Target, signal: AbortSignal) => Promise<NetworkVerdict>;
  /** For tests; by default, the system's. */
  readonly lookup?: Lookup;
  /** For tests; by default, this machine's. */
  readonly interfaces?: () => Interfaces;
};

/** Limits on connections to hosts other than the model's. Times are in milliseconds. */
export type NetworkLimits = {
  /** Connections at a time, including those that wait for a decision. */
  readonly maxConnections: number;
  /** Bytes of one connection, in both directions together. */
  readonly maxConnectionBytes: number;
  /** How long a connection may be idle. */
  readonly connectionIdleMs: number;
  readonly connectMs: number;
  /** How long a tunnel's client may take to send its ClientHello. */
  readonly helloMs: number;
};

/** Sized for package managers; connections to the model are limited separately. */
export const DEFAULT_NETWORK_LIMITS: NetworkLimits = {
  maxConnections: 128,
  maxConnectionBytes: 16 * 1024 ** 3,
  connectionIdleMs: 300_000,
  connectMs: 20_000,
  helloMs: 15_000,
};
