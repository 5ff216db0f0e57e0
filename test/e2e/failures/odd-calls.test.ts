import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { FIND_CODEX } from "../from-inside.ts";
import { SLOW, share, WAIT } from "../support.ts";

/** A command that calls the model itself, and prints the status and words of the answer. */
const call = (changes: object) => `node -e '${FIND_CODEX}
  ask(${JSON.stringify({ input: "from a command", ...changes })})
    .then(async (answer) => console.log("status " + answer.status, await answer.text()));
'`;

const shared = share({ git: false, config: { model: "gpt-5.5" } });

describe("a command that calls the model itself", SLOW, () => {
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
    [
      "asks for a model that the user has not chosen",
      { model: "gpt-6-astra" },
      "the model gpt-6-astra",
    ],
    ["asks for a more expensive tier", { service_tier: "priority" }, "service_tier with priority"],
    ["makes the endpoint store the conversation", { store: true }, "store the conversation"],
    ["runs in the background", { background: true }, "it has background"],
  ])("is refused if it %s, and the conversation reports it", async (_name, changes, why) => {
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

  it("is answered if it asks for no more than Codex does", async () => {
    expect(await called({})).toContain("status 200");
  });

  it("gets a model that the user has chosen since", async () => {
    await shared().chat.command("model gpt-6-luna");
    expect(await called({ model: "gpt-6-luna" })).toContain("status 200");
  });
});

describe("a call by the model for which Codex sends no item", SLOW, () => {
  const misfit = "*** Begin Patch\n*** Update File: a.txt\n@@\n-nope\n+new\n*** End Patch";
  const shown = /\*\*Patch did not apply\*\* · `a\.txt`\n```text reason\napply_patch verification/g;

  it("is shown once with its reason, also in a resumed thread", async () => {
    const { chat, model } = shared();
    await chat.startAnew();
    model.answerInTurn(
      reply(applyPatch(misfit)),
      reply(exec("rm -rf /tmp/nothing")),
      reply(message("Neither works.")),
    );
    expect(await chat.ask("Change it.")).toEqual({ status: "completed" });
    expect(await chat.body()).toMatch(
      /Change it\.\s+## Codex\s+\*\*Patch did not apply\*\*[\s\S]+\*\*Refused\*\* `rm -rf \/tmp\/nothing` · rm -f style[\s\S]+Neither works\.\s+## You/,
    );
    await chat.command("sandbox stop");
    model.answerInTurn(reply(applyPatch(misfit)), reply(message("Nor now.")));
    expect(await chat.ask("Again.")).toEqual({ status: "completed" });
    expect((await chat.body()).match(shown)).toHaveLength(2);
    // A closed fold holds the reason.
    const closed = await chat.nvim.lua(
      `vim.fn.cursor(vim.fn.search([[^\\*\\*Patch did not apply]], "w") + 1, 1)
       return vim.fn.foldclosed(".") == vim.fn.line(".")`,
    );
    expect(closed).toBe(true);
  });
});
