import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { functionCall, message, reply, silence } from "../../../src/offline/reply.ts";
import { type Conversation, SLOW, share } from "../support.ts";

/** What the user does when menus and inputs come up. */
async function willAnswer(chat: Conversation, choice: number, text: string): Promise<void> {
  await chat.nvim.lua(
    `local choice, text = ...
     vim.ui.select = function(items, opts, done)
       _G.offered = vim.tbl_map(opts.format_item or tostring, items)
       done(items[choice], choice)
     end
     vim.ui.input = function(opts, done) done(text) end
     vim.fn.inputsecret = function() return text end`,
    choice,
    text,
  );
}

const QUESTION = {
  id: "db",
  header: "Database",
  question: "Which database shall it be?",
  options: [
    { label: "SQLite (Recommended)", description: "One file." },
    { label: "Postgres", description: "A server." },
  ],
};

describe("a question of Codex's", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(async () => {
    const { chat } = shared();
    await chat.startAnew();
    await chat.command("plan on");
    await chat.nvim.lua("_G.offered = nil");
  });

  /** Has the model ask, and go on once that is answered; settles when the question can be answered. */
  async function askedFor(question: object): Promise<void> {
    const { chat, model } = shared();
    model.answer((request) =>
      request.outputsSinceUser().length === 0
        ? reply(functionCall("request_user_input", { questions: [question] }))
        : reply(message("As you wish.")),
    );
    await chat.send("Plan the storage.");
    await chat.waitForQuestion();
  }

  it("is shown and answered in the buffer, and its answer reaches the model", async () => {
    const { chat, model } = shared();
    await askedFor(QUESTION);
    expect(await chat.text()).toContain("**Asks** a question");
    expect(await chat.text()).toContain("> Which database shall it be?");
    await willAnswer(chat, 2, "");

    await chat.answer("a");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.nvim.lua("return _G.offered")).toEqual([
      "SQLite (Recommended) — One file.",
      "Postgres — A server.",
      "Something else",
    ]);
    expect(model.requests.at(-1)?.outputsSinceUser().join()).toContain("Postgres");
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Plan the storage.

      ## Codex

      **Asks** a question · answered: Postgres
      > **Database**
      >
      > Which database shall it be?
      >
      > 1. SQLite (Recommended) — One file.
      > 2. Postgres — A server.
      > 3. Something else

      As you wish.

      ## You
      "
    `);
  });

  it("can be answered with other text", async () => {
    const { chat, model } = shared();
    await askedFor(QUESTION);
    await willAnswer(chat, 3, "a text file");
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.outputsSinceUser().join()).toContain("a text file");
    expect(await chat.text()).toContain("**Asks** a question · answered: a text file");
  });

  it("is answered by the number of an option", async () => {
    const { chat, model } = shared();
    await askedFor(QUESTION);
    await chat.answer("1");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.outputsSinceUser().join()).toContain("SQLite");
    expect(await chat.text()).toContain("**Asks** a question · answered: SQLite (Recommended)");
  });

  it("is closed when the turn is stopped", async () => {
    const { chat } = shared();
    await askedFor(QUESTION);
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    await chat.until("**Asks** a question · withdrawn");
    await chat.command("answer");
    expect((await chat.notifications()).at(-1)).toContain("no question is waiting for an answer");
  });

  it("keeps a secret answer out of the buffer, the files and the log", async () => {
    const { chat, model, place } = shared();
    model.answer(() => reply(message("Wait."), silence()));
    await chat.send("Log in.");
    await chat.until("Wait.");
    const threadId = /^thread: (.*)$/m.exec(await chat.text())?.[1];
    const questions = [{ id: "t", header: "Token", question: "Your token?", isSecret: true }];
    const params = { threadId, turnId: "u", itemId: "i", questions };
    // As any program inside can ask, in Codex's name.
    const forged = JSON.stringify({ id: 900, method: "item/tool/requestUserInput", params });
    await place.inside(
      `for p in $(grep -las app-server /proc/[0-9]*/cmdline | cut -d/ -f3); do printf '%s\\n' '${forged}' > /proc/$p/fd/1; done`,
    );
    await chat.waitForQuestion();
    expect(await chat.text()).toContain("> **Token** · kept out of this text");
    await willAnswer(chat, 1, "secret-canary");
    await chat.answer("a");
    await chat.until("**Asks** a question · answered: (not shown)");
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    await chat.untilSaved();
    expect(await chat.text()).not.toContain("secret-canary");
    const found = await execa("grep", ["-rlas", "secret-canary", place.state, place.project], {
      reject: false,
    });
    expect(found.stdout).toBe("");
  });

  it("stops the turn when it is cancelled", async () => {
    const { chat } = shared();
    await askedFor(QUESTION);
    await chat.answer("c");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
  });
});

/**
 * A server of tools over stdio that asks the user back before it answers, and says what it was told:
 * `greet` by a form, `visit` by a page, `plain` not at all.
 */
const SERVER = `
import { createInterface } from "node:readline";

const say = (it) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...it }) + "\\n");
const tool = (name) => ({ name, description: name, inputSchema: { type: "object", properties: {} } });
const questions = {
  greet: { mode: "form", message: "Who are you?", requestedSchema: { type: "object",
    required: ["name"], properties: { name: { type: "string", title: "Name" },
    age: { type: "integer", title: "Age", minimum: 1 } } } },
  visit: { mode: "url", message: "Log in there.", url: "https://example.org/login?a=b",
    elicitationId: "e1" },
};
let call;
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params, result, error } = JSON.parse(line);
  const told = (it) => say({ id: call, result: { content: [{ type: "text", text: "Told: " + JSON.stringify(it) }] } });
  if (method === "initialize")
    say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} },
      serverInfo: { name: "greeter", version: "1" } } });
  else if (method === "tools/list")
    say({ id, result: { tools: ["greet", "visit", "plain"].map(tool) } });
  else if (method === "tools/call") {
    call = id;
    const question = questions[params.name];
    if (question === undefined) told("nothing asked");
    else say({ id: "ask", method: "elicitation/create", params: question });
  } else if (id === "ask")
    told(error ?? [result.action, Object.entries(result.content ?? {}).sort()]);
  else if (id !== undefined && method) say({ id, result: {} });
}
`;

describe("an MCP server in the sandbox", SLOW, () => {
  const shared = share({
    git: false,
    config: {
      model: "scripted",
      approvals: "on-request",
      mcp_servers: {
        greeter: { command: "node", args: ["greeter.mjs"] },
        broken: { command: "no-such-program" },
        far: { url: "https://example.org/mcp" },
      },
    },
  });

  it("is used once its tools are allowed, and asks with a form", async () => {
    const { chat, model, place } = shared();
    await writeFile(join(place.project, "greeter.mjs"), SERVER);
    const seen: string[] = [];
    model.answer((request) => {
      const tools = JSON.stringify(request.body["tools"] ?? "");
      seen.push(tools);
      return request.outputsSinceUser().length === 0
        ? reply(functionCall("greet", {}, "mcp__greeter"))
        : reply(message("Greeted."));
    });
    await willAnswer(chat, 1, "42");
    await chat.send("Greet me.");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain("**Asks**");
    await chat.answer("a");
    await chat.waitForQuestion();
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    // Codex says so when its start has failed, which may be after the turn.
    await chat.until("> **Note:** The MCP server `broken` could not be started");
    const text = await chat.body();
    expect(text).toContain(
      '> **Note:** The MCP server "far" is left out: it is reached at example.org over the network',
    );
    expect(text.replace(/> \*\*Note:\*\* .*\n\n/g, "")).toMatchInlineSnapshot(`
      "## You

      Greet me.

      ## Codex

      **Called** \`greeter.greet\` · 0.1 s
      \`\`\`text result
      Told: ["accept",[["age",42],["name","42"]]]
      \`\`\`

      **Asks** to use \`greet\` of \`greeter\` · approved
      > Allow the greeter MCP server to run tool "greet"?

      **Asks** \`greeter\`: Who are you? · answered: Age: 42; Name: 42
      > **Age** · a whole number, 1 or more · optional
      >
      > **Name**

      Greeted.

      ## You
      "
    `);

    await chat.command("status");
    await expect.poll(() => chat.nvim.lua("return vim.bo.filetype")).toBe("codexchatpage");
    const page = (await chat.nvim.lines(0)).join("\n");
    expect(page).toContain("- **Model** scripted");
    expect(page).toMatch(/- \*\*Tokens\*\* [\d,]+ in the last turn/);
    expect(page).toContain("- **greeter** · connected: greet, plain, visit");
    expect(page).toContain("- **Rate limits** unknown");
    expect(page).toMatch(
      /- \*\*broken\*\* · could not be started: no-such-program is not in the sandbox's image/,
    );
    expect(page).toContain("- **far** · it is reached at example.org over the network");
    await chat.nvim.type("q");
  });

  /** Has the model call tools of the server, one after another. */
  function callTools(...names: string[]): void {
    const { model } = shared();
    model.answer((request) => {
      const name = names[request.outputsSinceUser().length];
      return name === undefined
        ? reply(message("Done."))
        : reply(functionCall(name, {}, "mcp__greeter"));
    });
  }
  const outputs = () => shared().model.requests.at(-1)?.outputsSinceUser().join("\n");

  it("can be used again without asking once its tool is allowed for the session", async () => {
    const { chat } = shared();
    await chat.startAnew();
    callTools("plain", "plain");
    await chat.send("Use it twice.");
    await chat.waitForQuestion();
    await chat.answer("s");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(outputs()?.match(/nothing asked/g)).toHaveLength(2);
    expect(await chat.text()).toContain(
      "**Asks** to use `plain` of `greeter` · approved for this chat",
    );
  });

  it("is not used if the user declines, and the turn continues", async () => {
    const { chat } = shared();
    await chat.startAnew();
    await willAnswer(chat, 1, "");
    callTools("plain");
    await chat.send("Use it.");
    await chat.waitForQuestion();
    await chat.answer("d");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(outputs()).not.toContain("nothing asked");
    expect(await chat.text()).toContain("**Asks** to use `plain` of `greeter` · declined");
  });

  it("asks the user to visit a page, which is opened once they confirm it", async () => {
    const { chat } = shared();
    await chat.startAnew();
    await willAnswer(chat, 1, "");
    await chat.nvim.lua(
      "_G.opened = {} vim.ui.open = function(url) table.insert(_G.opened, url) end",
    );
    callTools("visit");
    await chat.send("Log in.");
    await chat.waitForQuestion();
    await chat.answer("a");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain("https://example.org/login?a=b");
    expect(await chat.nvim.lua("return _G.opened")).toEqual([]);
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.nvim.lua("return _G.opened")).toEqual(["https://example.org/login?a=b"]);
    expect(outputs()).toContain('Told: ["accept"');
  });

  it("learns that nobody answers when the turn is stopped", async () => {
    const { chat } = shared();
    await chat.startAnew();
    await willAnswer(chat, 1, "");
    callTools("greet");
    await chat.send("Greet me.");
    await chat.waitForQuestion();
    await chat.answer("a");
    await chat.waitForQuestion();
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    await chat.until("**Asks** `greeter`: Who are you? · withdrawn");
    expect(await chat.state("phase")).toBe("idle");
    callTools("plain");
    await chat.send("Go on.");
    await chat.waitForQuestion();
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
  });
});
