import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../src/offline/index.ts";
import { FIND_CODEX } from "./from-inside.ts";
import { SLOW, share, WAIT } from "./support.ts";

/** A command that calls the model itself, and prints the status and words of the answer. */
const call = (changes: object) => `node -e '${FIND_CODEX}
  ask(${JSON.stringify({ input: "from a command", ...changes })})
    .then(async (answer) => console.log("status " + answer.status, await answer.text()));
'`;

describe("a command that calls the model itself", SLOW, () => {
  const shared = share({ config: { model: "gpt-5.5" } });

  /** What the command has printed, in a turn of its own. */
  async function called(changes: object): Promise<string> {
    const { chat, model } = shared();
    let output = "";
    model.answer((request) => {
      if (request.body["input"] === "from a command") return reply(message("Here you are."));
      const [first] = request.outputsSinceUser();
      if (first === undefined) return reply(exec(call(changes)));
      output = first;
      return reply(message("Done."));
    });
    expect(await chat.ask("Call it.")).toEqual({ status: "completed" });
    return output;
  }

  it.each<[string, object, string]>([
    ["asks for a model that nobody has chosen", { model: "gpt-6-astra" }, "the model gpt-6-astra"],
    ["asks for a dearer tier", { service_tier: "priority" }, "service_tier with priority"],
    ["has the endpoint keep what is said", { store: true }, "keep what is said"],
    ["goes on where nobody looks", { background: true }, "it has background"],
  ])("is refused where it %s, and the conversation says so", async (_name, changes, why) => {
    const { chat, model } = shared();
    const output = await called(changes);
    expect(output).toContain("status 403");
    expect(output).toContain(why);
    await chat.until(/A call of the model was refused\. This call/);
    expect(await chat.text()).toContain(why);
    expect(model.requests.filter(({ body }) => body["input"] === "from a command")).toEqual([]);
    const audit = () => readFile(join(chat.projectDir, "audit.jsonl"), "utf8");
    await expect.poll(audit, WAIT).toContain(why);
  });

  it("is answered where it asks for no more than Codex does", async () => {
    expect(await called({})).toContain("status 200");
  });

  it("has the model that the user has chosen since", async () => {
    await shared().chat.command("model gpt-6-luna");
    expect(await called({ model: "gpt-6-luna" })).toContain("status 200");
  });
});
