/** Through the whole chain: what is protected stays so, and what a refusal recommends works. */

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { itUnlessRoot } from "../../support/root.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

/** A repository with hooks in it, and another one in that. */
async function project(): Promise<Place> {
  const place = await Place.make();
  const git = (cwd: string, ...args: readonly string[]) => execa("git", args, { cwd });
  await mkdir(join(place.project, "tools/hooks"), { recursive: true });
  await writeFile(join(place.project, "tools/hooks/README"), "hooks\n");
  await mkdir(join(place.project, "vendor/inner"), { recursive: true });
  await git(place.project, "init", "-q");
  await git(place.project, "config", "core.hooksPath", "tools/hooks");
  await git(join(place.project, "vendor/inner"), "init", "-q");
  return place;
}

describe("protection of a project", SLOW, () => {
  itUnlessRoot(
    "continues after a turn has closed the directory above a protected file",
    async () => {
      await using place = await project();
      await using model = await ScriptedModel.start();
      await using chat = await Conversation.open({ place, model });
      model.answerInTurn(reply(exec("chmod 0000 tools")), reply(message("Closed.")));
      expect(await chat.ask("Close it.")).toEqual({ status: "completed" });
      await chat.command("sandbox stop");
      await expect.poll(() => place.containers(), WAIT).toEqual([]);

      const refused = await chat.ask("And now?");
      expect(refused).toMatchObject({ status: "failed", failure: { kind: "project_refused" } });
      const text = await chat.text();
      expect(text).toContain("cannot be accessed (EACCES)");
      // The command that is recommended is run as it stands there.
      const command = /chmod u\+rwx [^\s`]+/.exec(text)?.[0] ?? "false";
      await execa("sh", ["-c", command]);
      model.answerInTurn(
        reply(exec("echo evil > tools/hooks/pre-commit; mv tools aside; true")),
        reply(message("Tried.")),
      );
      expect(await chat.ask("Write a hook.")).toEqual({ status: "completed" });
      expect(await readdir(join(place.project, "tools/hooks"))).toEqual(["README"]);
    },
  );

  it("can be given up for a missing git directory, if the user agrees", async () => {
    await using place = await project();
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("Hello.")));
    expect(await chat.ask("Hello?")).toEqual({ status: "completed" });
    await chat.command("sandbox stop");
    await expect.poll(() => place.containers(), WAIT).toEqual([]);
    await rm(join(place.project, ".git"), { recursive: true });

    expect(await chat.ask("And now?")).toMatchObject({ status: "failed" });
    const command = /:CodexChat (sandbox unprotect \S+\w)/.exec(await chat.text())?.[1] ?? "";
    expect(command).toBe("sandbox unprotect .git");
    await chat.command(command);
    await expect
      .poll(async () => (await chat.notifications()).join(), WAIT)
      .toContain(".git is no longer");
    model.answerInTurn(reply(message("On we go.")));
    expect(await chat.ask("Go on.")).toEqual({ status: "completed" });
  });

  it("includes files that the user adds between two turns, before Codex can reach them", async () => {
    await using place = await project();
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("Hello.")));
    expect(await chat.ask("Hello?")).toEqual({ status: "completed" });
    await execa("git", ["init", "-q", "fresh"], { cwd: place.project });
    await writeFile(join(place.project, ".envrc"), "export A=1\n");
    model.answerInTurn(
      reply(exec("echo '[x]' >> fresh/.git/config; echo evil >> .envrc; true")),
      reply(message("Tried.")),
    );
    expect(await chat.ask("Change it.")).toEqual({ status: "completed" });
    expect(await readFile(join(place.project, "fresh/.git/config"), "utf8")).not.toContain("[x]");
    expect(await readFile(join(place.project, ".envrc"), "utf8")).toBe("export A=1\n");
  });

  it("includes nested repositories, but not those that Codex has made", async () => {
    await using place = await project();
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    const spoil = (dir: string) => `echo '[x]' >> ${dir}/.git/config`;
    model.answerInTurn(
      reply(exec(`git init -q its; ${spoil("its")}; ${spoil("vendor/inner")}; true`)),
      reply(message("Made.")),
    );
    expect(await chat.ask("Make a repository.")).toEqual({ status: "completed" });
    await chat.until("`its/.git` created");
    await chat.command("sandbox stop");
    await expect.poll(() => place.containers(), WAIT).toEqual([]);

    // One of the user's between two sandboxes is protected in the next.
    await execa("git", ["init", "-q", "own"], { cwd: place.project });
    model.answerInTurn(
      reply(exec(`for it in its own vendor/inner; do ${spoil("$it")}; done; true`)),
      reply(message("Tried.")),
    );
    expect(await chat.ask("Change all.")).toEqual({ status: "completed" });
    const config = (dir: string) => readFile(join(place.project, dir, ".git/config"), "utf8");
    expect((await config("its")).match(/\[x\]/g)).toHaveLength(2);
    for (const dir of ["own", "vendor/inner"]) expect(await config(dir)).not.toContain("[x]");
  });
});
