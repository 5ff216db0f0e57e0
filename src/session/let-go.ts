import { ok, type Result } from "../result.ts";
import type { AroundTurn } from "./around-turn.ts";
import { type Failure, failureLine } from "./failure.ts";

/**
 * Has gVisor let go of the files after each turn, so that the user can run what was written in it.
 * `letGo` gives undefined where no sandbox runs or it has no gVisor.
 */
export function letGoAroundTurn(
  letGo: () => Promise<Result<void, Failure>> | undefined,
): AroundTurn {
  return {
    before: async () => ok(),
    after: async () => {
      const done = await letGo();
      if (done === undefined || done.ok) return [];
      return [{ type: "note", text: failureLine(done.error), once: true }];
    },
  };
}
