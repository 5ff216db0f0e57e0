import { expect, it } from "vitest";
import * as z from "zod";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

const Started = z.object({ event: z.literal("start"), argv: z.array(z.string()) });

/** The arguments of each git that was started inside, but for those of the host's own. */
async function startedInside(place: Place): Promise<string[]> {
  const { stdout } = await place.inside("cat /tmp/git-trace");
  return stdout.split("\n").flatMap((line) => {
    const started = Started.safeParse(line === "" ? undefined : JSON.parse(line));
    const args = started.success ? started.data.argv.slice(1).join(" ") : "--git-dir=";
    return args.startsWith("--git-dir=") ? [] : [args];
  });
}

it(
  "Codex runs no git for itself, and commands get the git of the image unchanged",
  SLOW,
  async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    const config = { sandbox: { env: { GIT_TRACE2_EVENT: "/tmp/git-trace" } } };
    await using chat = await Conversation.open({ place, model, config });
    model.answerInTurn(
      reply(
        exec("git status --short; command -v git; printenv BASH_ENV CODEX_CHAT_GIT; echo over"),
      ),
      reply(exec("sh -c 'git log' 2>&1 | head -n 1")),
      reply(message("Looked.")),
    );
    expect(await chat.ask("Look.")).toEqual({ status: "completed" });
    // What was begun for the first turn is over before the second one is.
    expect(await chat.ask("Again.")).toEqual({ status: "completed" });

    const [first, second] = model.requests[2]?.allOutputs() ?? [];
    expect(first).toContain("?? hello.txt\n/usr/bin/git\nover\n");
    expect(second).toContain("does not have any commits yet");
    expect(await startedInside(place)).toEqual(["status --short", "log"]);
  },
);
