import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

const canary = (name: string) => `${name}-${randomBytes(12).toString("hex")}`;

/**
 * Matches the canary in a regular expression, and not itself: it stands in command lines. No part of
 * it is long enough to be taken out of the model's answer.
 */
function pattern(text: string): string {
  return text.replace(/(.{7})(.)/g, "$1[$2]");
}

describe("a secret in Neovim's environment", SLOW, () => {
  it("is nowhere inside the sandbox or on disk, although the key reaches the model", async () => {
    const key = canary("sk");
    const other = canary("other");
    const planted = canary("planted");
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    await writeFile(join(place.project, "planted.txt"), planted);
    await using chat = await Conversation.open({
      place,
      model,
      env: { OPENAI_API_KEY: key, OTHER_CANARY: other },
      config: { sandbox: { env: { PLANTED: planted } }, log_level: "debug" },
    });
    model.answer((request) => {
      const outputs = request.outputsSinceUser();
      const wanted = [pattern(key), pattern(other)];
      if (outputs.length === 0) return reply(exec(search(wanted, place), { yieldMs: 30_000 }));
      if (outputs.length === 1)
        return reply(exec(search([pattern(planted)], place), { yieldMs: 30_000 }));
      return reply(message(`The key is ${key}, and no other.`));
    });

    expect(await chat.ask("Search for secrets.")).toEqual({ status: "completed" });

    const [secrets, control] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(secrets).toContain("the search is over");
    expect(secrets).not.toMatch(/FOUND/);
    expect(control).toMatch(/FOUND in the environment/);
    expect(control).toMatch(/FOUND in a process/);
    expect(control).toMatch(/FOUND in a file: .*planted\.txt/);
    expect(model.recorded.map((request) => request.headers.authorization)).toEqual(
      model.recorded.map(() => `Bearer ${key}`),
    );
    expect(await chat.text()).toContain("and no other.");
    expect(await chat.text()).not.toContain(key);

    await chat.quit();
    expect(await filesWith(key, place)).toEqual([]);
    expect(await filesWith(other, place)).toEqual([]);
    expect(await filesWith("Search for secrets.", place)).not.toEqual([]);
  });
});

/** A shell script that says where it finds one of the patterns. */
function search(patterns: readonly string[], place: Place): string {
  const wanted = patterns.map((each) => `-e '${each}'`).join(" ");
  return `
env | grep -qa ${wanted} && echo "FOUND in the environment"
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -qa ${wanted} && echo "FOUND in a process"
ps axeww | grep -qa ${wanted} && echo "FOUND in the list of processes"
grep -rlsa ${wanted} /tmp /home /run /etc /opt/codex-chat "$CODEX_HOME" ${place.project} | sed 's/^/FOUND in a file: /'
echo "the search is over"`;
}

/** The files of the home and state directories that hold the text. */
async function filesWith(text: string, place: Place): Promise<string[]> {
  const { stdout, exitCode } = await execa("grep", ["-rlaF", text, place.home, place.state], {
    reject: false,
  });
  expect(exitCode, "grep's own trouble").not.toBe(2);
  return stdout === "" ? [] : stdout.split("\n");
}
