import { describe, expect, it } from "vitest";
import { describeEnd, type SandboxEnd } from "./life.ts";

describe("describeEnd", () => {
  it.each<[SandboxEnd, string]>([
    [{ reason: "exited", exitCode: 0 }, "no relay was connected"],
    [{ reason: "exited", exitCode: 137 }, "killed or removed"],
    [{ reason: "exited", exitCode: 3 }, "exit code 3"],
    [{ reason: "exited", exitCode: null }, "The sandbox ended."],
    [{ reason: "protection_lost", name: ".envrc" }, ".envrc was replaced on this machine"],
    [{ reason: "out_of_memory" }, "ran out of memory"],
    [{ reason: "engine_lost" }, "connection to the container engine broke"],
    [{ reason: "released" }, "was stopped"],
  ])("%o", (end, says) => {
    const { message, mend } = describeEnd(end);
    expect(message).toContain(says);
    expect(mend).toContain("Send again");
  });
});
