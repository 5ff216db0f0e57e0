import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  Conversation,
  type ConversationOptions,
  Place,
  ScriptedModel,
  SLOW,
  WAIT,
} from "./support.ts";

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
    said: /Error.*\/ is not given to the agent: it is the whole file system/,
  },
  {
    title: "the home directory as a project",
    options: (place) => ({ cwd: place.home }),
    kind: "project_refused",
    said: /Error.*is not given to the agent/,
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

describe("a set-up that cannot work", SLOW, () => {
  it.each(refusals)("is refused with the reason: $title", async ({ options, kind, said }) => {
    await using place = await Place.make();
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

  it("says where the conversation cannot be kept, and keeps what was typed", async () => {
    await using place = await Place.make();
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
  });
});
