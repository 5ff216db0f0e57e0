import { beforeEach, describe, expect } from "vitest";
import { itAsRoot } from "../../support/root.ts";
import { keepsWhatWasReceived } from "../killed-part.ts";
import { runtimeProcesses } from "../runtime-processes.ts";
import { SLOW, share } from "../support.ts";

// gVisor's own processes are root's.
describe("a turn in which gVisor is killed", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  itAsRoot("keeps the received text, and the next turn remembers it", () =>
    keepsWhatWasReceived(
      shared(),
      async ({ place }) => {
        const { id } = await place.container();
        for (const pid of await runtimeProcesses(id)) {
          try {
            process.kill(pid, "SIGKILL");
          } catch (thrown) {
            // The end of one of them ends the others.
            expect(thrown).toMatchObject({ code: "ESRCH" });
          }
        }
      },
      /sandbox|relay|app-server/,
    ),
  );
});
