import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import {
  Conversation,
  type ConversationOptions,
  Place,
  ScriptedModel,
  SLOW,
  WAIT,
} from "../support.ts";

type Refusal = {
  readonly title: string;
  readonly options: (place: Place) => Omit<Partial<ConversationOptions>, "place" | "model">;
  readonly kind: string;
  readonly said: RegExp;
};

const refusals: readonly Refusal[] = [
  {
    title: "the whole file system as a project",
    options: () => ({ cwd: "/" }),
    kind: "project_refused",
    said: /Error.*agent gets no access to \/: it is the whole file system/,
  },
  {
    title: "the home directory as a project",
    options: (place) => ({ cwd: place.home }),
    kind: "project_refused",
    said: /Error.*agent gets no access to/,
  },
  {
    title: "the home directory, before an engine is looked for or a key",
    options: (place) => ({
      cwd: place.home,
      config: { auth: "key", sandbox: { engine: `unix://${place.base}/nobody.sock` } },
    }),
    kind: "project_refused",
    said: /Error.*it is the home directory/,
  },
  {
    title: "a runtime that the engine does not know",
    options: () => ({ config: { sandbox: { runtime: "no-such-runtime" } } }),
    kind: "no_runtime",
    said: /Error.*no-such-runtime/,
  },
  {
    title: "a base image that does not exist",
    options: () => ({ config: { sandbox: { base_image: "no-such-image:never" } } }),
    kind: "image_build_failed",
    said: /Error.*no-such-image:never/s,
  },
  {
    title: "an engine that does not listen",
    options: (place) => ({ config: { sandbox: { engine: `unix://${place.base}/nobody.sock` } } }),
    kind: "engine_unreachable",
    said: /Error.*nobody\.sock/,
  },
];

describe("a setup that cannot work", SLOW, () => {
  it.each(refusals)("is refused with the reason: $title", async ({ options, kind, said }) => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ ...options(place), place, model });

    const end = await chat.ask("Hello?");

    expect(end).toMatchObject({ status: "failed", failure: { kind } });
    expect(await chat.text()).toMatch(said);
    expect(await chat.text()).toContain("Hello?");
    expect(await place.containers()).toEqual([]);
    expect(model.recorded).toEqual([]);
    await chat.untilSaved();
  });

  it("works in the directory that the refusal of the home directory makes the user name", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model, cwd: place.home });
    const { failure } = await chat.ask("Hello?");
    const advice = failure?.fix ?? "";
    const make = /mkdir -p [^\n]*/.exec(advice)?.[0] ?? "false";
    await execa("sh", ["-c", make], { env: { HOME: place.home } });
    // Typed in the very window that shows the refusal.
    await chat.adopt(/:CodexChat (open \S+)\./.exec(advice)?.[1] ?? "");
    expect(await chat.nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
    model.answerInTurn(reply(exec("pwd")), reply(message("Here.")));
    expect(await chat.ask("Where are you?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs()[0]).toContain(join(place.home, "work"));
  });

  it("shares a package that the user names, and not the repository around it", async () => {
    await using place = await Place.make();
    const inner = join(place.project, "packages/a");
    await mkdir(join(inner, "hooks"), { recursive: true });
    await writeFile(join(inner, "hooks/README"), "hooks\n");
    await execa("git", ["config", "core.hooksPath", "packages/a/hooks"], { cwd: place.project });
    await using model = await ScriptedModel.start();
    const config = { roots: [join(place.project, "packages/*")] };
    await using chat = await Conversation.open({ place, model, cwd: inner, config });
    model.answerInTurn(
      reply(exec("pwd; ls -A ../..; git status; echo evil > hooks/pre-commit; touch mine; true")),
      reply(message("Done.")),
    );
    expect(await chat.ask("Look around.")).toEqual({ status: "completed" });
    const [output] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(output).toContain(inner);
    expect(output).toMatch(/^packages$/m);
    expect(output).not.toMatch(/^(\.git|hello\.txt)$/m);
    expect(output).toContain("not a git repository");
    expect(await readdir(join(inner, "hooks"))).toEqual(["README"]);
    expect(await readdir(inner)).toContain("mine");
  });

  it("reports where the conversation cannot be saved, and keeps the typed text", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await writeFile(join(place.base, "file"), "");
    await using chat = await Conversation.open({
      place,
      model,
      config: { state_dir: join(place.base, "file", "state") },
    });

    await chat.send("Hello?");

    await expect.poll(() => chat.state("phase"), WAIT).toBe("failed");
    expect((await chat.notifications()).join("\n")).toMatch(
      /The state directory .*file\/state cannot be made.*file already exists/,
    );
    expect(await chat.text()).toContain("Hello?");
    expect(await place.containers()).toEqual([]);

    // Mended, as the message says, and sent again.
    await rm(join(place.base, "file"));
    model.answerInTurn(reply(message("Here.")));
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    await chat.untilSaved();
  });
});
