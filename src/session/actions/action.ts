import type { z } from "zod";
import type { Result } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { Failure } from "../failure.ts";

/**
 * Something that the editor asks for about a conversation. The value must travel over msgpack;
 * undefined is answered as `true`.
 */
export type Action = {
  readonly name: string;
  /** Checks the parameters and runs. */
  readonly run: (conversation: Conversation, params: unknown) => Promise<Result<unknown, Failure>>;
};

/** An action whose parameters fit `schema`; others are an error that names what is wrong. */
export function action<S extends z.ZodType>(
  name: string,
  schema: S,
  run: (conversation: Conversation, params: z.infer<S>) => Promise<Result<unknown, Failure>>,
): Action {
  return {
    name,
    run: async (conversation, params) => {
      const parsed = schema.safeParse(params);
      if (parsed.success) return run(conversation, parsed.data);
      const [issue] = parsed.error.issues;
      const message = `${name} was asked for wrongly: ${issue?.path.join(".")}: ${issue?.message}.`;
      return { ok: false, error: { kind: "invalid_params", message } };
    },
  };
}
