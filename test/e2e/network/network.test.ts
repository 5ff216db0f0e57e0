import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Gate, SLOW, share, until } from "../support.ts";

/** A shell expression for the model's port, which Codex was started with. */
const PORT = `$(cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | sed -n 's|.*base_url="http://127.0.0.1:\\([0-9]*\\)/v1".*|\\1|p' | head -n 1)`;
const POST = `curl -sS -m 20 -w ' status %{http_code}' -H 'content-type: application/json' -d '{}' "http://127.0.0.1:${PORT}/v1/responses"`;

describe("the network of the sandbox", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it("refuses a host without a public name without asking, and reports it to the program and in the transcript", async () => {
    const { chat, model } = shared();
    model.answerInTurn(
      reply(exec("curl -sS -m 20 https://printer.local; curl -sS -m 20 http://10.0.0.1/")),
      reply(message("No way out.")),
    );

    expect(await chat.ask("Fetch a page.")).toEqual({ status: "completed" });

    const [output] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(output).toContain("403");
    expect(output).toContain("network access to 10.0.0.1:80 is refused");
    expect(await chat.text()).toMatch(/> \*\*Note:\*\* .*printer\.local/);
  });

  it("serves only the model's one path, without the key in the answer", async () => {
    const { chat, model, place } = shared();
    const gate = new Gate();
    model.answerInTurn(reply(message("I wait."), until(gate)));
    await chat.send("Wait.");
    await chat.until("I wait.");

    const models = await place.inside(`curl -sS -m 20 "http://127.0.0.1:${PORT}/v1/models"`);
    gate.open();

    expect(models.stdout).toContain("only /v1/responses is served");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.recorded).toHaveLength(1);
  });

  it("serves no call that makes the endpoint reach hosts that the sandbox cannot", async () => {
    const { chat, model } = shared();
    const tools = `[{"type":"mcp","server_label":"x","server_url":"https://example.org"}]`;
    const body = `{"model":"gpt-5.5","stream":true,"store":false,"input":"hi","tools":${tools}}`;
    model.answerInTurn(
      reply(exec(POST.replace("'{}'", `'${body}'`))),
      reply(exec(POST.replace("'{}'", `'${body.replace(tools, "[]")}'`))),
      reply(message("That one is as good as Codex's own.")),
    );

    expect(await chat.ask("Reach out.")).toEqual({ status: "completed" });

    const [refused, control] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(refused).toContain("status 403");
    expect(refused).toContain("the tool mcp");
    expect(control).toContain("status 200");
    const sent = model.recorded.map((request) => JSON.stringify(JSON.parse(request.body).tools));
    expect(sent).toContain("[]");
    expect(sent.join()).not.toContain("server_url");
  });

  it("lets no leftover process call the model once the turn is over", async () => {
    const { chat, model, place } = shared();
    // It waits for a word in one pipe and answers in another, so that nothing is looked for again.
    const left = `echo > /tmp/ready; read word < /tmp/go; ${POST} > /tmp/late 2>&1`;
    const detached = `(setsid sh -c '${left.replaceAll("'", `'"'"'`)}' > /dev/null 2>&1 &)`;
    // Before it has a session of its own, it would end with the command.
    const wait = "read word < /tmp/ready";
    model.answerInTurn(
      reply(exec(`mkfifo /tmp/ready /tmp/go /tmp/late; ${detached}; ${wait}`)),
      reply(message("Left one behind.")),
    );
    expect(await chat.ask("Leave a process behind.")).toEqual({ status: "completed" });
    const calls = model.recorded.length;

    const late = await place.inside(
      "timeout 60 sh -c 'echo go > /tmp/go; cat /tmp/late' || echo no process was left",
    );

    expect(late.stdout).toContain("status 403");
    expect(late.stdout).toContain("turn");
    expect(model.recorded).toHaveLength(calls);
  });
});
