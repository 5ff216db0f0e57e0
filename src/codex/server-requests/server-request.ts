import type { ToolCall } from "./tool-call.ts";

/** A question for the user, in terms of no protocol. */
export type Approval =
  | {
      readonly kind: "command";
      readonly id: string;
      readonly itemId: string;
      readonly command?: string;
      readonly cwd?: string;
      readonly reason?: string;
      readonly network?: { readonly host: string; readonly protocol: string };
      /** Set if a sub-agent asks, whose turn is not the conversation's. */
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
  /** Questions of Codex's, or a form of an MCP server. */
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

/** One question, or one field of a form. */
export type Field = {
  readonly name: string;
  readonly label: string;
  readonly description?: string;
  readonly type: "text" | "number" | "integer" | "boolean" | "choice" | "choices";
  /** The format that a text must have. */
  readonly format?: "email" | "uri" | "date" | "date-time";
  /** Bounds of a number's value, a text's length in characters, or the number of choices. */
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
  /** Whether an answer other than the options is allowed. */
  readonly other: boolean;
  readonly default?: string | number | boolean | readonly string[];
};

/** The answer to a field; a list if several options may be chosen. */
export type FieldAnswer = string | number | boolean | readonly string[];

/** How the user may decide. */
export type Decision = "accept" | "accept_session" | "decline" | "cancel";

/** A decision, with the answer to each field. */
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
      /** Turns the answer into Codex's own form. */
      readonly respond: (answer: Answer) => unknown;
    }
  | {
      readonly type: "answered";
      readonly threadId: string;
      readonly result: unknown;
      /** What was asked for and refused, for the record. */
      readonly asked?: { readonly kind: string; readonly about: string };
      /** A message for the user about it. */
      readonly note?: string;
    }
  | { readonly type: "refused"; readonly code: number; readonly message: string };
