/**
 * What the editor can ask of a conversation beside sending: one table of named actions, each with a
 * schema of its parameters. A file holds those of one concern.
 */
import type { Log } from "../../log.ts";
import { err, type Result } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import { type Failure, failureOf } from "../failure.ts";
import type { Action } from "./action.ts";
import { approvalActions } from "./approvals.ts";
import { commitActions } from "./commits.ts";
import { dockerfileActions } from "./dockerfile.ts";
import { goalActions } from "./goal.ts";
import { loginActions } from "./login.ts";
import { modelActions } from "./model.ts";
import { networkActions } from "./network.ts";
import { roundActions } from "./rounds.ts";
import { sandboxActions } from "./sandbox.ts";
import { statusActions } from "./status.ts";
import { terminalActions } from "./terminals.ts";
import { threadActions } from "./threads.ts";

const ACTIONS: ReadonlyMap<string, Action> = new Map(
  [
    ...roundActions,
    ...modelActions,
    ...approvalActions,
    ...terminalActions,
    ...statusActions,
    ...commitActions,
    ...sandboxActions,
    ...networkActions,
    ...goalActions,
    ...dockerfileActions,
    ...threadActions,
    ...loginActions,
  ].map((it) => [it.name, it]),
);

/** Runs the action of this name; never throws. */
export async function runAction(
  conversation: Conversation,
  name: string,
  params: unknown,
  log: Log,
): Promise<Result<unknown, Failure>> {
  const found = ACTIONS.get(name);
  if (found === undefined)
    return err({ kind: "unknown_action", message: `This host knows no action ${name}.` });
  try {
    return await found.run(conversation, params);
  } catch (thrown) {
    log.error({ err: thrown, name }, "an action failed");
    return err(failureOf("action", `${name} failed`, thrown));
  }
}
