import type { DecidedBy } from "../events.ts";
import type { Interfaces } from "./address.ts";
import type { AllowList } from "./allow.ts";
import type { Lookup } from "./dial.ts";
import type { Target } from "./target.ts";

/** What was decided of a host that the configuration does not name. */
export type NetworkVerdict =
  | {
      readonly allowed: true;
      readonly by: DecidedBy;
      /** Aborts when the permission ends; its connections end with it. */
      readonly ends: AbortSignal;
    }
  | {
      readonly allowed: false;
      readonly by: DecidedBy;
      /** Completes "access to … is refused: ". */
      readonly why: string;
    };

/** What the sandbox may reach besides the model. */
export type NetworkPolicy = {
  /** What the configuration allows; asked for each connection, because it may change. */
  readonly allowed: () => AllowList;
  /** Decides about the rest; may take as long as the user does. The signal: nobody waits any more. */
  readonly decide: (target: Target, signal: AbortSignal) => Promise<NetworkVerdict>;
  /** For tests; the system's by default. */
  readonly lookup?: Lookup;
  /** For tests; this machine's by default. */
  readonly interfaces?: () => Interfaces;
};

/** Limits on connections to other hosts than the model's. Times are milliseconds. */
export type NetworkLimits = {
  /** Connections at a time, those that wait for an answer included. */
  readonly maxConnections: number;
  /** Bytes of one connection, both ways together. */
  readonly maxConnectionBytes: number;
  /** How long a connection may carry nothing. */
  readonly connectionIdleMs: number;
  readonly connectMs: number;
  /** How long a tunnel may take to say whom it speaks with. */
  readonly helloMs: number;
};

/** Sized for package managers; the model's connections have places of their own. */
export const DEFAULT_NETWORK_LIMITS: NetworkLimits = {
  maxConnections: 128,
  maxConnectionBytes: 16 * 1024 ** 3,
  connectionIdleMs: 300_000,
  connectMs: 20_000,
  helloMs: 15_000,
};
