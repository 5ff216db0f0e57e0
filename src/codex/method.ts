import { z } from "zod";

type ApprovalPolicy = "never" | "on-request" | "untrusted";
type Text = {
  readonly type: "text";
  readonly text: string;
  readonly text_elements: readonly never[];
};
type Model = { readonly model?: string };

const Thread = z.object({ thread: z.object({ id: z.string() }), model: z.string() });
const Nothing = z.unknown().transform(() => undefined);

/** A request that we make: what goes with it, and the schema of what comes back. */
type Method<P, S extends z.ZodType> = { readonly result: S; readonly params?: P };

function method<P>() {
  return <S extends z.ZodType>(result: S): Method<P, S> => ({ result });
}

/** Every request in use, in Codex's own words. The contract test holds them against the binary. */
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
    }
  >()(Thread),
  "thread/resume": method<
    Model & {
      readonly threadId: string;
      readonly cwd: string;
      readonly sandbox: "danger-full-access";
      readonly approvalPolicy: ApprovalPolicy;
      readonly excludeTurns: true;
    }
  >()(Thread),
  "turn/start": method<{
    readonly threadId: string;
    readonly input: readonly Text[];
    readonly clientUserMessageId?: string;
    readonly effort?: string;
  }>()(z.object({ turn: z.object({ id: z.string() }) })),
  "turn/steer": method<{
    readonly threadId: string;
    readonly expectedTurnId: string;
    readonly input: readonly Text[];
    readonly clientUserMessageId?: string;
  }>()(z.object({ turnId: z.string() })),
  "turn/interrupt": method<{ readonly threadId: string; readonly turnId: string }>()(Nothing),
  "thread/backgroundTerminals/clean": method<{ readonly threadId: string }>()(Nothing),
} as const;

export type MethodName = keyof typeof METHODS;
/** What goes with a request. */
export type ParamsOf<M extends MethodName> = NonNullable<(typeof METHODS)[M]["params"]>;
/** What comes back. */
export type ResultOf<M extends MethodName> = z.infer<(typeof METHODS)[M]["result"]>;
