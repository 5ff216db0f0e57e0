/**
 * What the editor can ask of a conversation besides sending. The names and shapes stand in the editor
 * port's table; a file here holds the handlers of one concern.
 */

import type { Log } from "../../log.ts";
import { type ActionName, actions } from "../../nvim/index.ts";
import { err, type Result } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import { type Failure, failureOf } from "../failure.ts";
import type { ActionHandlers } from "./action.ts";
import { approvalActions } from "./approvals.ts";
import { changeActions } from "./changes.ts";
import { commitActions } from "./commits.ts";
import { dockerfileActions } from "./dockerfile.ts";
import { goalActions } from "./goal.ts";
import { loginActions } from "./login.ts";
import { modelActions } from "./model.ts";
import { networkActions } from "./network.ts";
import { patchActions } from "./patches.ts";
import { roundActions } from "./rounds.ts";
import { sandboxActions } from "./sandbox.ts";
import { statusActions } from "./status.ts";
import { terminalActions } from "./terminals.ts";

const HANDLERS: ActionHandlers = {
  ...roundActions,
  ...modelActions,
  ...approvalActions,
  ...terminalActions,
  ...statusActions,
  ...commitActions,
  ...changeActions,
  ...patchActions,
  ...sandboxActions,
  ...networkActions,
  ...goalActions,
  ...dockerfileActions,
  ...loginActions,
};

/** Runs the action of this name; never throws. */
export async function runAction(
  conversation: Conversation,
  name: string,
  params: unknown,
  log: Log,
): Promise<Result<unknown, Failure>> {
  if (!isActionName(name))
    return err({ kind: "unknown_action", message: `This host knows no action ${name}.` });
  const parsed = actions[name].params.safeParse(params);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const message = `${name} got wrong parameters: ${issue?.path.join(".")}: ${issue?.message}.`;
    return err({ kind: "invalid_params", message });
  }
  try {
    // The handler of this name takes what the schema of this name gives.
    const run: (conversation: Conversation, params: never) => Promise<Result<unknown, Failure>> =
      HANDLERS[name];
    return await run(conversation, parsed.data as never);
  } catch (thrown) {
    log.error({ err: thrown, name }, "an action failed");
    return err(failureOf("action", `${name} failed`, thrown));
  }
}

function isActionName(name: string): name is ActionName {
  return Object.hasOwn(actions, name);
}
