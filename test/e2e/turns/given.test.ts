import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

describe("the user's own instructions and skills", SLOW, () => {
  it("apply, beside those of the project", async () => {
    await using place = await Place.make();
    const skills = join(place.home, "skills");
    await mkdir(join(skills, "greeting"), { recursive: true });
    await writeFile(
      join(skills, "greeting", "SKILL.md"),
      "---\nname: greeting\ndescription: How the user wants to be greeted.\n---\nSay hello.\n",
    );
    await writeFile(join(place.home, "AGENTS.md"), "Answer in Norwegian.\n");
    await writeFile(join(place.project, "AGENTS.md"), "Use two spaces.\n");
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({
      place,
      model,
      config: { agents_md: "~/AGENTS.md", skills_dirs: [skills, "~/no-skills"] },
    });
    expect(await chat.ask("Hello.")).toEqual({ status: "completed" });
    const told = JSON.stringify(model.requests[0]?.body["input"]);
    expect(told).toContain("Answer in Norwegian.");
    expect(told).toContain("Use two spaces.");
    expect(told).toContain("How the user wants to be greeted.");
    expect(await chat.text()).toContain("no-skills is not shared with the agent");
  });
});
