import { ok, type Result } from "../../result.ts";
import { type Failure, failureLine } from "../failure.ts";
import type { TurnHook } from "./turn-hook.ts";

type LetGo = Promise<Result<void, Failure>> | undefined;

/**
 * Has gVisor let go of the files after each turn, so that the user can run what was written in it.
 * `letGo` gives undefined where no sandbox runs or it has no gVisor.
 *
 * In two parts, since it takes a third of a second: what stands between them in the list of what is
 * done for turns, which ends in reverse, is done meanwhile.
 */
export function letGoAroundTurn(letGo: () => LetGo): readonly [awaited: TurnHook, begun: TurnHook] {
  const before = async () => ok();
  /** By thread: the turns of several conversations may end at a time. */
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
        // Whoever waits for it hears of it; until then it is nobody's.
        done?.catch(() => {});
        going.set(threadId, done);
        return [];
      },
    },
  ];
}
