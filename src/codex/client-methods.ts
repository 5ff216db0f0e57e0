import * as z from "zod";
import { Id } from "./id.ts";
import { Item } from "./messages/index.ts";

/** When Codex asks before it runs or changes something. */
export type ApprovalPolicy = "never" | "on-request" | "untrusted";
/**
 * Part of what a user says: text, a picture as a data URL (0.171 takes no other), or a skill, whose
 * instructions Codex reads from the path of its SKILL.md.
 */
export type UserInput =
  | { readonly type: "text"; readonly text: string; readonly text_elements: readonly never[] }
  | { readonly type: "image"; readonly url: string }
  | { readonly type: "skill"; readonly name: string; readonly path: string };
/** How Codex works: "plan" talks a plan over and changes nothing. */
type CollaborationMode = {
  readonly mode: "plan" | "default";
  readonly settings: {
    readonly model: string;
    readonly reasoning_effort: string | null;
    readonly developer_instructions: null;
  };
};
/** A parameter of a tool, as JSON schema has it. */
export type ToolParameter = {
  readonly type: "string" | "integer";
  readonly description?: string;
  readonly minimum?: number;
  readonly enum?: readonly string[];
};

/** A tool that the client answers itself (experimental in 0.171). */
export type ToolFunction = {
  readonly type: "function";
  readonly name: string;
  readonly description: string;
  readonly inputSchema: {
    readonly type: "object";
    readonly properties: Readonly<Record<string, ToolParameter>>;
    readonly required: readonly string[];
    readonly additionalProperties: false;
  };
};

/** A tool, or several under one name. */
export type ToolSpec =
  | ToolFunction
  | {
      readonly type: "namespace";
      readonly name: string;
      readonly description: string;
      readonly tools: readonly ToolFunction[];
    };
/** Context that goes with a query, by the name we give it; a developer message to the model. */
type AdditionalContext = Readonly<
  Record<string, { readonly value: string; readonly kind: "application" }>
>;
type Model = { readonly model?: string };

const Thread = z.object({
  thread: z.object({ id: Id }),
  model: z.string(),
  reasoningEffort: z.string().nullish().catch(null),
  /** Paths of the instruction files in force. */
  instructionSources: z.array(z.string()).catch([]),
});
const Nothing = z.unknown().transform(() => undefined);

/** A request that we make: the type of its params and the schema of its result. */
type Method<P, S extends z.ZodType> = { readonly result: S; readonly params?: P };

function method<P>() {
  return <S extends z.ZodType>(result: S): Method<P, S> => ({ result });
}

/** Every request in use, in Codex's own words. The contract test compares them with the binary. */
export const METHODS = {
  initialize: method<{
    readonly clientInfo: {
      readonly name: string;
      readonly title: string;
      readonly version: string;
    };
    readonly capabilities: {
      readonly experimentalApi: boolean;
      readonly requestAttestation: boolean;
      readonly optOutNotificationMethods?: readonly string[];
    };
  }>()(z.object({ userAgent: z.string(), codexHome: z.string() })),
  "thread/start": method<
    Model & {
      readonly cwd: string;
      readonly sandbox: "danger-full-access";
      readonly approvalPolicy: ApprovalPolicy;
      readonly dynamicTools?: readonly ToolSpec[];
      /** A developer message to the model, before all others. */
      readonly developerInstructions?: string;
    }
  >()(Thread),
  "thread/resume": method<
    Model & {
      readonly threadId: string;
      readonly cwd: string;
      readonly sandbox: "danger-full-access";
      readonly approvalPolicy: ApprovalPolicy;
      readonly developerInstructions?: string;
      readonly excludeTurns: true;
    }
  >()(Thread),
  /** Without an end the whole thread is copied; model and sandbox are not inherited (0.169). */
  "thread/fork": method<
    Model & {
      readonly threadId: string;
      readonly lastTurnId?: string;
      readonly cwd: string;
      readonly sandbox: "danger-full-access";
      readonly approvalPolicy: ApprovalPolicy;
      readonly excludeTurns: true;
    }
  >()(Thread),
  /** Drops a turn and all turns after it; files stay as they are. */
  "thread/revert": method<{ readonly threadId: string; readonly beforeTurnId: string }>()(Nothing),
  /** The thread's name in Codex, which its other clients show. */
  "thread/name/set": method<{ readonly threadId: string; readonly name: string }>()(Nothing),
  /**
   * Ends its events. Codex keeps a thread loaded, with its files open, for as long as a client has
   * not said this, and for 30 minutes without a turn after it (0.171).
   */
  "thread/unsubscribe": method<{ readonly threadId: string }>()(Nothing),
  /** Archives a thread: it cannot be resumed until it is unarchived. */
  "thread/archive": method<{ readonly threadId: string }>()(Nothing),
  "thread/unarchive": method<{ readonly threadId: string }>()(Nothing),
  /** Deletes a thread for good, on disk as well. */
  "thread/delete": method<{ readonly threadId: string }>()(Nothing),
  "thread/turns/list": method<{
    readonly threadId: string;
    readonly cursor?: string;
    readonly limit: number;
    readonly sortDirection: "asc";
    readonly itemsView: "full";
  }>()(
    z.object({
      data: z.array(z.object({ id: Id, items: z.array(Item) })),
      nextCursor: z.string().nullish(),
    }),
  ),
  "thread/goal/set": method<{
    readonly threadId: string;
    readonly objective?: string;
    readonly status: "active" | "paused";
  }>()(z.object({ goal: z.object({ objective: z.string() }) })),
  "thread/goal/clear": method<{ readonly threadId: string }>()(Nothing),
  "thread/compact/start": method<{ readonly threadId: string }>()(Nothing),
  "review/start": method<{
    readonly threadId: string;
    readonly target:
      | { readonly type: "uncommittedChanges" }
      | { readonly type: "baseBranch"; readonly branch: string }
      | { readonly type: "commit"; readonly sha: string; readonly title: null }
      | { readonly type: "custom"; readonly instructions: string };
    readonly delivery: "inline";
  }>()(z.object({ turn: z.object({ id: Id }) })),
  "model/list": method<{ readonly cursor?: string }>()(
    z.object({
      data: z.array(
        z.object({
          model: z.string(),
          displayName: z.string().catch(""),
          description: z.string().catch(""),
          isDefault: z.boolean().catch(false),
          defaultReasoningEffort: z.string().catch(""),
          supportedReasoningEfforts: z
            .array(z.object({ reasoningEffort: z.string(), description: z.string().catch("") }))
            .catch([]),
        }),
      ),
      nextCursor: z.string().nullish(),
    }),
  ),
  /** Further places to look for skills; absolute paths. */
  "skills/extraRoots/set": method<{ readonly extraRoots: readonly string[] }>()(Nothing),
  "mcpServerStatus/list": method<{ readonly threadId: string }>()(
    z.object({
      data: z.array(
        z.object({
          name: z.string(),
          runtimeStatus: z.string().nullish().catch(null),
          tools: z.record(z.string(), z.unknown()).catch({}),
          toolsError: z.string().nullish().catch(null),
        }),
      ),
    }),
  ),
  "thread/backgroundTerminals/list": method<{ readonly threadId: string }>()(
    z.object({
      data: z.array(
        z.object({
          itemId: Id,
          processId: Id,
          command: z.string(),
          cwd: z.string().catch(""),
        }),
      ),
    }),
  ),
  "thread/backgroundTerminals/terminate": method<{
    readonly threadId: string;
    readonly processId: string;
  }>()(Nothing),
  "turn/start": method<{
    readonly threadId: string;
    readonly input: readonly UserInput[];
    readonly clientUserMessageId?: string;
    readonly model?: string;
    readonly effort?: string;
    /** For this turn and all later ones. */
    readonly approvalPolicy?: ApprovalPolicy;
    readonly collaborationMode?: CollaborationMode;
    readonly additionalContext?: AdditionalContext;
  }>()(z.object({ turn: z.object({ id: Id }) })),
  "turn/steer": method<{
    readonly threadId: string;
    readonly expectedTurnId: string;
    readonly input: readonly UserInput[];
    readonly clientUserMessageId?: string;
    readonly additionalContext?: AdditionalContext;
  }>()(z.object({ turnId: Id })),
  "turn/interrupt": method<{ readonly threadId: string; readonly turnId: string }>()(Nothing),
  "thread/backgroundTerminals/clean": method<{ readonly threadId: string }>()(Nothing),
} as const;

export type MethodName = keyof typeof METHODS;
/** The params of a request. */
export type ParamsOf<M extends MethodName> = NonNullable<(typeof METHODS)[M]["params"]>;
/** The result of a request. */
export type ResultOf<M extends MethodName> = z.infer<(typeof METHODS)[M]["result"]>;
