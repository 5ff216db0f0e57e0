import { describe, expect, it } from "vitest";
import { containerFailure } from "./error.ts";

function failure(message: string, statusCode = 500) {
  const cause = Object.assign(new Error(message), { statusCode });
  const context = { what: "Starting the sandbox", runtime: "runsc", image: "codex-chat:1" };
  return containerFailure(cause, context);
}

describe("containerFailure", () => {
  it("says which runtime argument is missing when runsc meets a newer kernel", () => {
    const error = failure(
      "(HTTP code 500) server error - OCI runtime start failed: starting container: cannot run with network enabled in root network namespace: unknown ",
    );
    expect(error.kind).toBe("runtime_broken");
    expect(error.message).toContain("--network=none");
    expect(error.fix).toContain("--runtime=runsc -- --network=none --directfs=false");
  });

  it.each([
    ["no_runtime", "(HTTP code 400) bad parameter - Unknown runtime specified runsc ", 400],
    ["no_runtime", "unknown or invalid runtime name: runsc", 400],
    ["disk_full", "write /var/lib/docker/tmp: no space left on device", 500],
    ["image_missing", "(HTTP code 404) no such container - No such image: codex-chat:1 ", 404],
    ["container_failed", "something else", 500],
  ])("recognizes %s in %j", (kind, message, status) => {
    expect(failure(message, status).kind).toBe(kind);
  });

  it.each([
    'invalid mount config for type "bind": bind source path does not exist: /proc/self',
    "container create: statfs /proc/self: no such file or directory",
  ])("reports that an engine which cannot see this machine's files runs elsewhere: %s", (text) => {
    const error = failure(text, 400);
    expect(error.kind).toBe("engine_remote");
    expect(error.message).toContain("does not see /proc/self of this machine");
    expect(failure(text.replace("/proc/self", "/no/such"), 400).kind).toBe("container_failed");
  });

  it("keeps the engine's own words without the client's prefix", () => {
    expect(failure("(HTTP code 500) server error - it broke ").message).toBe(
      "Starting the sandbox failed: it broke",
    );
  });
});
