/** What a turn needs is taken away under it: it ends safely, and what is then advised works. */

import { cp, mkdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { exec, message, reply, silence } from "../../../src/offline/reply.ts";
import { repository } from "../../support/neovim.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

/** A turn that has answered in part and waits. */
async function midTurn(place: Place, model: ScriptedModel): Promise<Conversation> {
  const chat = await Conversation.open({ place, model });
  model.answerInTurn(reply(message("Half of the answer."), silence()));
  await chat.send("Hello?");
  await chat.until("Half of the answer.");
  return chat;
}

describe("in the middle of a turn", SLOW, () => {
  it("renaming the project ends the turn with a fitting message, and the next one works when it is back", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await midTurn(place, model);
    const renamed = `${place.project}-new`;
    await rename(place.project, renamed);

    const end = await chat.waitForTurnEnd();
    expect(end.failure?.message).toBe(
      `${place.project} was removed or renamed, so the sandbox was ended.`,
    );
    await chat.untilSaved();
    expect(await chat.text()).toMatch(
      /Half of the answer\.\n\n> \*\*Error:\*\* .*\n>\n> .*\n\n## You/,
    );
    expect(await place.containers()).toEqual([]);
    // Before the advice is followed, the same is said of the directory that is not there.
    const again = await chat.ask("Are you there?");
    expect(again.failure?.message).toContain("the directory no longer exists");

    // Under its new name it is another project; the conversation is not lost.
    const advice = again.failure?.fix ?? "";
    const open = /:CodexChat (open NEW-NAME)/.exec(advice)?.[1] ?? "";
    model.answerInTurn(reply(exec("pwd")), reply(message("Under the new one.")));
    await chat.adopt(open.replace("NEW-NAME", renamed));
    expect(await chat.ask("And here?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs()[0]).toContain(renamed);
    await chat.quit();

    const command = /\((mv NEW-NAME [^)]*)\)/.exec(advice)?.[1] ?? "false";
    await execa("sh", ["-c", command.replace("NEW-NAME", renamed)]);
    await using back = await Conversation.open({ place, model });
    expect(await back.text()).toContain("Half of the answer.");
    model.answerInTurn(reply(message("I am.")));
    expect(await back.ask("Are you there?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(expect.arrayContaining(["Hello?"]));
  });

  it("removing the state directory makes the host create it again and save the text there", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await midTurn(place, model);
    const path = await chat.nvim.lua<string>("return vim.api.nvim_buf_get_name(0)");
    await rm(join(place.state, "projects"), { recursive: true });
    await chat.command("stop");
    expect((await chat.waitForTurnEnd()).status).toBe("interrupted");
    await expect
      .poll(async () => (await chat.notifications()).join("\n"), WAIT)
      .toContain("its directory is gone: make it again with `mkdir -p`");
    await mkdir(dirname(path), { recursive: true });

    model.answerInTurn(reply(exec("git status; echo over")), reply(message("Here again.")));
    expect(await chat.ask("Are you there?")).toEqual({ status: "completed" });
    const text = await chat.text();
    expect(text).toMatch(/\*\*Note:\*\* .* was removed. The sandbox keeps there/);
    expect(text).not.toContain("node:fs");
    await expect.poll(() => readFile(path, "utf8"), WAIT).toContain("Here again.");
  });
});

describe("a project whose .git is a link", SLOW, () => {
  it("is refused at once, and accepted when the link is replaced as the refusal says", async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    const outside = join(place.base, "repository.git");
    await rename(join(place.project, ".git"), outside);
    await symlink(outside, join(place.project, ".git"));
    await using chat = await Conversation.open({ place, model });

    const refused = await chat.ask("Hello?");
    expect(refused).toMatchObject({ failure: { kind: "project_refused" } });
    expect(refused.failure?.message).toContain("its .git is a symbolic link");
    expect(await readlink(join(place.project, ".git"))).toBe(outside);
    const command = /^\(cd .*\)$/m.exec(refused.failure?.fix ?? "")?.[0] ?? "false";
    await execa("sh", ["-c", command]);
    const status = await execa("git", ["status", "--short"], { cwd: place.project });
    expect(status.stdout).toBe("?? hello.txt");

    model.answerInTurn(reply(exec("git status --short")), reply(message("Looked.")));
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs()[0]).toContain("?? hello.txt");
  });
});

describe("a host whose plugin was updated under it", SLOW, () => {
  it("says so when it needs a part that is gone, and keeps the query", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    const plugin = join(place.base, "plugin");
    await cp(join(repository, "container"), join(plugin, "container"), { recursive: true });
    await cp(join(repository, "dist"), join(plugin, "dist"), { recursive: true });
    await cp(join(repository, "package.json"), join(plugin, "package.json"));
    const config = { host_cmd: [process.execPath, join(plugin, "dist", "host.mjs")] };
    await using chat = await Conversation.open({ place, model, config });
    await rm(join(plugin, "dist", "host"), { recursive: true });

    expect((await chat.ask("Hello?")).failure).toMatchObject({
      kind: "host_changed",
      fix: expect.stringContaining("start Neovim again"),
    });
    expect(await chat.text()).toContain("Hello?");
    await chat.command("status");
    await expect
      .poll(async () => (await chat.notifications()).join("\n"), WAIT)
      .toContain("start Neovim again");
  });
});
