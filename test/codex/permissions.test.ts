import { describe, expect, it } from "vitest";
import { functionCall, message, reply } from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

describe("a permission that Codex asks for", () => {
  it("is not granted, and a note tells the user", async () => {
    await using home = await CodexHome.make();
    await using model = await ScriptedModel.start();
    await using server = await AppServer.start({
      home,
      model,
      args: ["-c", "features.request_permissions_tool=true"],
    });
    model.answer((request) =>
      request.outputsSinceUser().length === 0
        ? reply(
            functionCall("request_permissions", {
              reason: "to fetch",
              permissions: { network: { enabled: true } },
            }),
          )
        : reply(message("So be it.")),
    );
    const threadId = await server.startThread("on-request");
    expect(await server.turn(threadId, "Fetch it.")).toMatchObject({ status: "completed" });
    expect(server.notes).toEqual([
      expect.stringContaining("asked for more permissions (to fetch). None can be granted"),
    ]);
    expect(model.requests.at(-1)?.outputsSinceUser().join()).not.toContain('"enabled":true');
    expect(server.asked).toEqual([]);
  });
});
