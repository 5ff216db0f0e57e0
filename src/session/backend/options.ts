import type { Audit } from "../../audit/index.ts";
import type { ServerNotification } from "../../codex/messages/index.ts";
import type { Answer, Approval, ToolAnswer, ToolCall } from "../../codex/server-requests/index.ts";
import type { EgressEvent } from "../../egress/index.ts";
import type { NetworkPolicy } from "../../egress/network/index.ts";
import type { Log, Progress } from "../../log.ts";
import type { Account, KeyRing } from "../auth/index.ts";
import type { Settings } from "../settings/index.ts";

/** The options and callbacks of a backend. */
export type BackendOptions = {
  readonly root: string;
  readonly projectDir: string;
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly log: Log;
  readonly audit: Audit;
  /** Remembers keys that commands have printed. */
  readonly keys: KeyRing;
  readonly account: Account;
  readonly onProgress: (what: Progress) => void;
  readonly onNotification: (notification: ServerNotification) => void;
  readonly onApproval: (threadId: string, approval: Approval) => Promise<Answer>;
  readonly onTool: (call: ToolCall) => Promise<ToolAnswer>;
  /** A question can no longer be answered. */
  readonly onClash: (approvalId: string) => void;
  /** A request was refused without asking the user. */
  readonly onRefused: (threadId: string, asked: { kind: string; about: string }) => void;
  readonly onNote: (threadId: string, note: string) => void;
  readonly onEgress: (event: EgressEvent) => void;
  /** Receives Codex's requests to the model. */
  readonly onRequest: (request: Readonly<Record<string, unknown>>) => void;
  /** The models that the user has chosen. */
  readonly models: () => ReadonlySet<string>;
  /** The efforts that the user has chosen; undefined if one of them is left to Codex. */
  readonly efforts: () => ReadonlySet<string> | undefined;
  /** What the sandbox may reach besides the model. */
  readonly network: NetworkPolicy;
  readonly signal: AbortSignal;
};
