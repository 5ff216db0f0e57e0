import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Gate, Place, ScriptedModel, SLOW, until, WAIT } from "../support.ts";

describe("settings that change while the sandbox runs", SLOW, () => {
  it("take effect from the next turn, and invalid ones send nothing to the earlier endpoint", async () => {
    await using place = await Place.make({ git: false });
    await using first = await ScriptedModel.start();
    await using second = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model: first });
    const setup = (opts: object) => chat.nvim.lua("require('codex-chat').setup(...)", opts);
    first.answerInTurn(reply(message("By the first.")));
    expect(await chat.ask("One?")).toEqual({ status: "completed" });

    await setup({ model_url: "nowhere" });
    const wrong = await chat.ask("Two?");
    expect(wrong).toMatchObject({ status: "failed", failure: { kind: "wrong_settings" } });
    expect(wrong.failure?.message).toContain("model_url");
    expect(wrong.failure?.fix).toContain("then send again");

    await setup({ model_url: second.url });
    second.answerInTurn(reply(message("By the second.")), reply(message("Again.")));
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("By the second.");
    expect(first.requests).toHaveLength(1);
    expect(second.requests.at(-1)?.lastUserText()).toContain("Two?");

    // What does not concern what runs leaves it running.
    const [before] = await place.containers();
    await setup({ network: { allow: ["example.org"] }, window: { size: 0.3 } });
    expect(await chat.ask("Three?")).toEqual({ status: "completed" });
    expect((await place.containers())[0]?.Id).toBe(before?.Id);

    // A service of this machine has a port inside, which the running relay has not.
    const service = createServer((socket) => void socket.end("pong\n")).listen(0, "127.0.0.1");
    await once(service, "listening");
    const { port } = service.address() as AddressInfo;
    await setup({ network: { allow: [`localhost:${port}`] } });
    const ask = `exec 3<>/dev/tcp/localhost/${port} && head -n 1 <&3`;
    second.answerInTurn(reply(exec(ask)), reply(message("Done.")));
    expect(await chat.ask("Four?")).toEqual({ status: "completed" });
    expect(second.requests.at(-1)?.allOutputs().at(-1)).toContain("pong");
    service.close();
  });

  it("send no more queries to the earlier endpoint, even while a turn runs there", async () => {
    await using place = await Place.make({ git: false });
    await using first = await ScriptedModel.start();
    await using second = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model: first });
    const setup = (url: string) =>
      chat.nvim.lua("require('codex-chat').setup({ model_url = ... })", url);
    const gates = [new Gate(), new Gate()];
    const by = (what: string, gate: Gate) => reply(message(`By the ${what}.`), until(gate));
    first.answer(() => by("first", gates[0] as Gate));
    second.answer(() => by("second", gates[1] as Gate));
    await chat.send("One?");
    await chat.until("By the first.");

    // In the same conversation it waits for the turn's end, though the turn could be steered.
    await setup(second.url);
    await chat.send("Two?");
    const marks = () =>
      chat.nvim.lua(
        "return vim.inspect(vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { details = true }))",
      );
    await expect.poll(marks, WAIT).toContain("CodexChatQueued");
    gates[0]?.open();
    await chat.until("By the second.");

    // In another one of the project it is refused, with what helps.
    await setup(first.url);
    await chat.adopt("new");
    await chat.send("Three?");
    await chat.until(/Send again when that turn is over.* :CodexChat! sandbox restart/);
    await chat.nvim.command("CodexChat! sandbox restart");
    const runs = expect.arrayContaining([expect.stringContaining("the sandbox runs")]);
    await expect.poll(() => chat.notifications(), WAIT).toEqual(runs);
    await chat.command("retry");
    await chat.until("By the first.");
    const asked = (model: ScriptedModel) => model.requests.map((request) => request.lastUserText());
    expect([asked(first), asked(second)]).toEqual([["One?", "Three?"], ["Two?"]]);
  });

  it("fix the problems as the messages about the key and the engine advise", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    const env = { OPENAI_API_KEY: "" };
    await using chat = await Conversation.open({ place, model, env, config: { auth: "key" } });
    const setup = (lua: string) => chat.nvim.lua(`require("codex-chat").setup(${lua})`);
    const failure = async (query: string) => (await chat.ask(query)).failure;

    const missing = await failure("One?");
    expect(missing?.kind).toBe("no_key");
    expect(missing?.fix).toContain('api_key_cmd = { "pass", "openai" }');
    await setup(`{ api_key_cmd = { "echo", "sk-canary" }, auth = "none" }`);
    const both = await failure("Two?");
    expect(both).toMatchObject({
      kind: "wrong_settings",
      fix: "Remove one of them from the configuration.",
    });
    await setup(`{ auth = vim.NIL, sandbox = { engine = "unix://${place.base}/none.sock" } }`);
    const nowhere = await failure("Three?");
    expect(nowhere?.kind).toBe("engine_unreachable");
    expect(nowhere?.fix).toContain("If it listens elsewhere: correct sandbox.engine");
    await setup(`{ sandbox = { engine = "${place.engine.host}", runtime = "runsk" } }`);
    const runtime = await failure("Four?");
    expect(runtime).toMatchObject({ kind: "no_runtime" });
    expect(runtime?.message).toMatch(/has no runtime "runsk" \(it has: .*runsc/);
    await setup(`{ sandbox = { runtime = "runsc" } }`);
    model.answerInTurn(reply(message("At last.")));
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.recorded.at(-1)?.headers["authorization"]).toBe("Bearer sk-canary");
  });
});
