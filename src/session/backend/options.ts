import type { Audit } from "../../audit/index.ts";
import type { ServerNotification } from "../../codex/messages/index.ts";
import type { Answer, Approval, ToolAnswer, ToolCall } from "../../codex/server-requests/index.ts";
import type { EgressEvent } from "../../egress/index.ts";
import type { NetworkPolicy } from "../../egress/network/index.ts";
import type { Log } from "../../log.ts";
import type { Account, KeyRing } from "../auth/index.ts";
import type { Settings } from "../settings/index.ts";

/** What a backend is started from, and who hears of what happens in it. */
export type BackendOptions = {
  readonly root: string;
  readonly projectDir: string;
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly log: Log;
  readonly audit: Audit;
  /** Keys that commands have printed, and the login. */
  readonly keys: KeyRing;
  readonly account: Account;
  readonly onProgress: (what: string) => void;
  readonly onNotification: (notification: ServerNotification) => void;
  readonly onApproval: (threadId: string, approval: Approval) => Promise<Answer>;
  readonly onTool: (call: ToolCall) => Promise<ToolAnswer>;
  /** A question cannot be answered any more. */
  readonly onClash: (approvalId: string) => void;
  /** Something was refused without asking. */
  readonly onRefused: (threadId: string, asked: { kind: string; about: string }) => void;
  readonly onNote: (threadId: string, note: string) => void;
  readonly onEgress: (event: EgressEvent) => void;
  /** Codex asks the model. */
  readonly onRequest: (request: Readonly<Record<string, unknown>>) => void;
  /** The models that the user has chosen. */
  readonly models: () => ReadonlySet<string>;
  /** The efforts that the user has chosen; undefined where one is left to Codex. */
  readonly efforts: () => ReadonlySet<string> | undefined;
  /** What the sandbox may reach besides the model. */
  readonly network: NetworkPolicy;
  readonly signal: AbortSignal;
};
