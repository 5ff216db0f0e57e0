import type { ToolCall } from "./tool-call.ts";

/** A question that the user answers, in words of no protocol. */
export type Approval =
  | {
      readonly kind: "command";
      readonly id: string;
      readonly itemId: string;
      readonly command?: string;
      readonly cwd?: string;
      readonly reason?: string;
      readonly network?: { readonly host: string; readonly protocol: string };
      /** Whether a sub-agent asks, whose turn is not the conversation's. */
      readonly byAgent?: boolean;
    }
  | {
      readonly kind: "patch";
      readonly id: string;
      readonly itemId: string;
      readonly reason?: string;
      readonly grantRoot?: string;
      readonly byAgent?: boolean;
    }
  /** Something to be told: by Codex, or by a form of an MCP server. */
  | {
      readonly kind: "questions";
      readonly id: string;
      readonly itemId?: string;
      readonly server?: string;
      readonly title: string;
      readonly fields: readonly Field[];
    }
  /** Whether a tool of an MCP server may run. */
  | {
      readonly kind: "tool";
      readonly id: string;
      readonly server: string;
      readonly tool: string;
      readonly message: string;
      readonly detail?: string;
    }
  /** An MCP server wants the user to visit a page. */
  | {
      readonly kind: "page";
      readonly id: string;
      readonly server: string;
      readonly message: string;
      readonly url: string;
    };

/** One thing that is asked for. */
export type Field = {
  readonly name: string;
  readonly label: string;
  readonly description?: string;
  readonly type: "text" | "number" | "integer" | "boolean" | "choice" | "choices";
  /** What a text must be. */
  readonly format?: "email" | "uri" | "date" | "date-time";
  /** Bounds: of a number its value, of a text its characters, of choices how many. */
  readonly min?: number;
  readonly max?: number;
  readonly required: boolean;
  /** The answer is never written anywhere. */
  readonly secret: boolean;
  readonly options: readonly {
    readonly value: string;
    readonly label: string;
    readonly description: string;
  }[];
  /** Whether something else than the options may be answered. */
  readonly other: boolean;
  readonly default?: string | number | boolean | readonly string[];
};

/** What was told for a field; several where several may be chosen. */
export type FieldAnswer = string | number | boolean | readonly string[];

/** What the user may answer. */
export type Decision = "accept" | "accept_session" | "decline" | "cancel";

/** An answer, with what was told for each field that was asked for. */
export type Answer = {
  readonly decision: Decision;
  readonly answers?: Readonly<Record<string, FieldAnswer>> | undefined;
};

/** A request of the app-server: a question for the user, or one that is answered without asking. */
export type ServerRequest =
  | { readonly type: "tool"; readonly call: ToolCall }
  | {
      readonly type: "approval";
      readonly threadId: string;
      readonly approval: Approval;
      /** Codex's own form of the answer. */
      readonly respond: (answer: Answer) => unknown;
    }
  | {
      readonly type: "answered";
      readonly threadId: string;
      readonly result: unknown;
      /** What was asked for and refused, where there is only that answer. */
      readonly asked?: { readonly kind: string; readonly about: string };
      /** What the user is told about it. */
      readonly note?: string;
    }
  | { readonly type: "refused"; readonly code: number; readonly message: string };
