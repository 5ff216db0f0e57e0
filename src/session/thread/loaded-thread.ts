import type { CodexClient } from "../../codex/index.ts";
import type { Backend } from "../backend/index.ts";
import type { LiveDocument } from "../document/index.ts";

/** The part of a backend that a conversation's turns meet. */
export type TurnBackend = Pick<Backend, "notes" | "sandboxLabel"> & {
  readonly egress: Pick<Backend["egress"], "allowance" | "beginTurn" | "activeCalls">;
};

/** The part of a document that its thread reads and writes. */
export type ThreadDocument = Pick<LiveDocument, "meta" | "text" | "apply" | "setMeta"> & {
  readonly standing: Pick<LiveDocument["standing"], "usage">;
};

/** A thread that a running app-server has loaded. */
export type LoadedThread = {
  readonly backend: TurnBackend;
  readonly client: Pick<CodexClient, "request">;
  readonly threadId: string;
  /** Whether it has replaced another thread, and was given the text instead. */
  readonly isReplaced?: boolean;
};
