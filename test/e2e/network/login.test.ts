import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { exec, httpError, message, reply } from "../../../src/offline/reply.ts";
import { ChatGptService } from "../../support/chatgpt.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

/** Matches a secret in a regular expression, and not itself: it stands in command lines. */
const pattern = (text: string) => `${text.slice(-30, -1)}[${text.at(-1)}]`;

/** A chat whose model is ChatGPT's backend, played by the scripted model. */
function openChat(place: Place, model: ScriptedModel, service: ChatGptService) {
  return Conversation.open({
    place,
    model,
    config: {
      auth: "login",
      model_url: undefined,
      login_url: model.url,
      login_issuer: service.url,
      log_level: "debug",
    },
  });
}

describe("a ChatGPT login", SLOW, () => {
  it("is made from the editor, authorizes turns, and never appears inside, in the log or in messages", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using service = await ChatGptService.start();
    await using chat = await openChat(place, model, service);

    const before = await chat.ask("Anyone?");
    expect(before).toMatchObject({ status: "failed", failure: { kind: "no_login" } });
    expect(await chat.text()).toContain(":CodexChat login");

    await chat.nvim.lua("vim.ui.select = function(_, _, done) done(nil, nil) end");
    await chat.command("login device");
    await expect
      .poll(async () => (await chat.notifications()).join("\n"), WAIT)
      .toContain("logged in as someone@example.org (plus).");
    const file = join(place.state, "login", "auth.json");
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const [id = "", access = "", refresh = ""] = service.secrets;
    model.answer((request) => {
      const outputs = request.outputsSinceUser();
      const wanted = [id, access, refresh].map(pattern);
      if (outputs.length === 0) return reply(exec(search(wanted, place), { yieldMs: 30_000 }));
      return reply(message(`I was sent ${access} for acc-canary-7-0123456789.`));
    });
    expect(await chat.ask("Search for the login.")).toEqual({ status: "completed" });

    const [found] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(found).toContain("the search is over");
    expect(found).not.toContain("FOUND");
    for (const { headers } of model.recorded)
      expect(headers).toMatchObject({
        authorization: `Bearer ${access}`,
        "chatgpt-account-id": "acc-canary-7-0123456789",
      });
    expect(await chat.text()).toContain("I was sent [redacted] for [redacted].");
    expect(await chat.state("sandbox")).toBe("gVisor · ChatGPT");

    // The control: what is planted inside is found by the same search.
    await writeFile(join(place.project, "planted.txt"), access);
    model.answerInTurn(
      reply(exec(search([pattern(access)], place), { yieldMs: 30_000 })),
      reply(message("There it is.")),
    );
    await chat.ask("Search for what is planted.");
    expect(model.requests.at(-1)?.allOutputs().at(-1)).toMatch(/FOUND in a file: .*planted\.txt/);

    await chat.command("status");
    await expect
      .poll(async () => (await chat.nvim.lines(await chat.nvim.buf())).join("\n"), WAIT)
      .toContain("**Authorized by** ChatGPT login: someone@example.org (plus)");
    const said = (await chat.notifications()).join("\n");
    await chat.quit();
    for (const secret of [id, access, refresh]) {
      expect(said).not.toContain(secret);
      expect(await filesWith(secret, place)).toEqual(
        [file, join(place.project, "planted.txt")].filter(
          (path) => secret === access || path === file,
        ),
      );
    }
    const audit = await execa("grep", ["-rh", '"event":"credential"', place.state]);
    expect(audit.stdout).toContain('"action":"login"');
  });

  it("is renewed once when it is refused, and not again in a storm of refusals", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using service = await ChatGptService.start();
    await mkdir(join(place.state, "login"), { recursive: true, mode: 0o700 });
    const file = join(place.state, "login", "auth.json");
    await writeFile(file, service.authFile(), { mode: 0o600 });
    await using chat = await openChat(place, model, service);
    model.answer((_request, n) =>
      n === 0 ? httpError(401, "expired") : reply(message("Welcome back.")),
    );

    expect(await chat.ask("Am I in?")).toEqual({ status: "completed" });

    expect(model.recorded.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${service.secrets[1]}`,
      `Bearer ${service.secrets[4]}`,
    ]);
    expect(JSON.parse(await readFile(file, "utf8")).tokens.refresh_token).toBe(service.secrets[5]);

    model.answer(() => httpError(401, `no: ${service.secrets[4]}`));
    for (let n = 0; n < 3; n++) expect((await chat.ask("And now?")).status).toBe("failed");
    expect(service.refreshes).toBe(1);
    expect(await chat.text()).not.toContain(service.secrets[4]);
  });
});

/** A shell script that says where it finds one of the patterns. */
function search(patterns: readonly string[], place: Place): string {
  const wanted = patterns.map((each) => `-e '${each}'`).join(" ");
  return `
env | grep -qa ${wanted} && echo "FOUND in the environment"
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -qa ${wanted} && echo "FOUND in a process"
grep -rlsa ${wanted} /tmp /home /run /etc /opt/codex-chat "$CODEX_HOME" ${place.project} | sed 's/^/FOUND in a file: /'
echo "the search is over"`;
}

/** The files of the home, the project and the state directory that hold the text. */
async function filesWith(text: string, place: Place): Promise<string[]> {
  const dirs = [place.home, place.state, place.project];
  const { stdout } = await execa("grep", ["-rlaF", text, ...dirs], { reject: false });
  return stdout === "" ? [] : stdout.split("\n").sort();
}
