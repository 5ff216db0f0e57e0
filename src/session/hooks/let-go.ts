import { ok, type Result } from "../../result.ts";
import { type Failure, failureLine } from "../failure.ts";
import type { TurnHook } from "./turn-hook.ts";

type LetGo = Promise<Result<void, Failure>> | undefined;

/**
 * Makes gVisor close the files after each turn, so that the user can run what was written in it.
 * `letGo` gives undefined where no sandbox runs, or one without gVisor.
 *
 * It takes a third of a second, so it is two hooks: hooks end in reverse order, and those that stand
 * between the two do their work meanwhile.
 */
export function letGoTurnHooks(letGo: () => LetGo): readonly [awaited: TurnHook, begun: TurnHook] {
  const before = async () => ok();
  /** By thread: the turns of several conversations may end at the same time. */
  const going = new Map<string, LetGo>();
  return [
    {
      before,
      after: async ({ threadId }) => {
        const done = await going.get(threadId);
        going.delete(threadId);
        if (done === undefined || done.ok) return [];
        return [{ type: "note", text: failureLine(done.error), once: true }];
      },
    },
    {
      before,
      after: async ({ threadId }) => {
        const done = letGo();
        // The other hook awaits it; until then a rejection has no handler.
        done?.catch(() => {});
        going.set(threadId, done);
        return [];
      },
    },
  ];
}
