import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

const PATCH = "*** Begin Patch\n*** Update File: hello.txt\n@@\n-Hello\n+Grüße\n*** End Patch";

describe("a project", SLOW, () => {
  it("may have spaces and letters of any language in its path", async () => {
    await using place = await Place.make({ name: "mein schönes Projekt 日本 'x'" });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(
      reply(exec("pwd; cat hello.txt")),
      reply(applyPatch(PATCH)),
      reply(message("Done.")),
    );

    expect(await chat.ask("Edit, please.")).toEqual({ status: "completed" });

    expect(model.requests.at(-1)?.allOutputs()[0]).toContain(`${place.project}\nHello`);
    expect(await readFile(join(place.project, "hello.txt"), "utf8")).toBe("Grüße\n");
    expect(await chat.text()).toContain("**Edited** `hello.txt` · +1 −1");
    await chat.untilSaved();
  });

  it("needs no repository", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(
      reply(exec("pwd; git status 2>&1 | head -n 1")),
      reply(applyPatch(PATCH)),
      reply(message("Done.")),
    );

    expect(await chat.ask("Edit, please.")).toEqual({ status: "completed" });

    const [output] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(output).toContain(place.project);
    expect(output).toContain("not a git repository");
    expect(await readFile(join(place.project, "hello.txt"), "utf8")).toBe("Grüße\n");
  });

  it("may be a worktree, whose repository is out of reach", async () => {
    await using place = await Place.make();
    const identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
    const git = (...args: string[]) => execa("git", [...identity, "-C", place.project, ...args]);
    await git("add", ".");
    await git("commit", "-qm", "first");
    const tree = join(place.base, "work", "tree");
    await git("worktree", "add", "-q", "-b", "side", tree);
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model, cwd: tree });
    model.answerInTurn(
      reply(exec("pwd; git log --oneline; git branch evil; touch .git; echo over")),
      reply(applyPatch(PATCH)),
      reply(message("Done.")),
    );

    expect(await chat.ask("Look and edit, please.")).toEqual({ status: "completed" });

    const [output] = model.requests.at(-1)?.allOutputs() ?? [];
    expect(output).toContain(await realpath(tree));
    expect(output).toMatch(/[0-9a-f]{7} first/);
    expect(output).toMatch(/touch: .*read-only file system/i);
    expect((await git("branch", "--list", "evil")).stdout).toBe("");
    expect(await readFile(join(tree, "hello.txt"), "utf8")).toBe("Grüße\n");
    expect(await readFile(join(place.project, "hello.txt"), "utf8")).toBe("Hello\n");
  });
});
