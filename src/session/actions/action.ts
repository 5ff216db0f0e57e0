import type { ActionName, ActionParams, ActionResult } from "../../nvim/index.ts";
import type { Result } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { Failure } from "../failure.ts";

/** An action's answer. One that only does something gives nothing, which Lua gets as `true`. */
export type ActionAnswer<N extends ActionName> = Promise<
  ActionResult<N> extends true ? Result<void, Failure> : Result<ActionResult<N>, Failure>
>;

/** A handler for each name in the editor port's table of actions. */
export type ActionHandlers = {
  readonly [N in ActionName]: (
    conversation: Conversation,
    params: ActionParams<N>,
  ) => ActionAnswer<N>;
};
