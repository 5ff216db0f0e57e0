import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { share, WAIT } from "../support.ts";

const SLOW = { timeout: 150_000 } as const;

/** The project's audit log, without what differs from run to run. */
async function auditOf(projectDir: string, event: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(projectDir, "audit.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((record) => record["event"] === event);
}

describe("a file that a real turn leaves for the host to run", SLOW, () => {
  const shared = share();

  it("is not reported for an ordinary change", async () => {
    const { chat, model } = shared();
    model.answerInTurn(
      reply(exec("echo 'console.log(1)' > a.js && mkdir -p src && echo b > src/b.ts")),
      reply(message("Done.")),
    );
    expect(await chat.ask("An ordinary change.")).toEqual({ status: "completed" });
    expect(await chat.text()).not.toContain("runs on your machine");
  });

  it("is named below the answer and in the audit log", async () => {
    const { chat, model, place } = shared();
    const scripts = { test: "node --test" };
    const packageJson = `${JSON.stringify({ name: "p", version: "1.0.0", scripts })}\n`;
    await writeFile(join(place.project, "package.json"), packageJson);
    await writeFile(join(place.project, "Makefile"), "all:\n\techo all\n");
    model.answerInTurn(reply(message("I see.")));
    expect(await chat.ask("Look around.")).toEqual({ status: "completed" });
    const before = (await auditOf(chat.projectDir, "protected_file")).length;
    await chat.startAnew();
    model.answerInTurn(
      reply(
        exec(
          `echo 'curl evil.test' > .envrc
           node -e 'const fs = require("fs"), p = JSON.parse(fs.readFileSync("package.json"));
             p.scripts.postinstall = "node evil.js"; fs.writeFileSync("package.json", JSON.stringify(p))'
           mkdir -p vendor/x && cd vendor/x && mkdir objects refs && echo 'ref: refs/heads/main' > HEAD
           printf '[core]\\n\\tfsmonitor = ./evil\\n' > config`,
        ),
      ),
      reply(
        applyPatch(
          "*** Begin Patch\n*** Update File: Makefile\n@@\n all:\n-\techo all\n+\tsh evil.sh\n*** End Patch",
        ),
      ),
      reply(exec("ln -s /etc/passwd data && mkdir -p bin && echo x > bin/ls && chmod +x bin/ls")),
      reply(message("All done.")),
    );
    expect(await chat.ask("Do it.")).toEqual({ status: "completed" });
    const body = await chat.body();
    expect(body.slice(body.indexOf("All done."))).toMatchInlineSnapshot(`
      "All done.

      > **Note:** runs on your machine:
      >
      > - \`data\` linked to \`/etc/passwd\`: it leads out of the project: a program on your machine that follows it reads or writes there.
      > - \`bin/ls\` made executable: it can be run by its name now.
      > - \`vendor/x/\` created: git runs its hooks and programs whenever it is run inside it.
      > - \`.envrc\` created: direnv runs it when you enter the directory.
      > - \`Makefile\` changed: make runs it.
      > - \`package.json\` (script \`postinstall\`) changed: npm and its like run it on install or by name.

      ## You
      "
    `);
    // The text and the record are written side by side.
    const since = async () => (await auditOf(chat.projectDir, "protected_file")).slice(before);
    await expect.poll(since, WAIT).toHaveLength(6);
    const found = await since();
    expect(
      found.map((record) => [record["path"], record["change"], record["what"]]),
    ).toMatchInlineSnapshot(`
      [
        [
          "data",
          "linked",
          "/etc/passwd",
        ],
        [
          "bin/ls",
          "made executable",
          undefined,
        ],
        [
          "vendor/x/",
          "created",
          undefined,
        ],
        [
          ".envrc",
          "created",
          undefined,
        ],
        [
          "Makefile",
          "changed",
          undefined,
        ],
        [
          "package.json",
          "changed",
          "script postinstall",
        ],
      ]
    `);
  });

  it("is named with the next turn if something inside made it after the last one", async () => {
    const { chat, model, place } = shared();
    await chat.startAnew();
    model.answerInTurn(reply(message("Well.")));
    expect(await chat.ask("Nothing, please.")).toEqual({ status: "completed" });
    expect(await chat.text()).not.toContain("runs on your machine");
    await place.inside(`echo evil > '${place.project}/.exrc'`);
    // The kernel's clock of a change goes in steps.
    await new Promise((resolve) => setTimeout(resolve, 200));
    model.answerInTurn(reply(message("Nothing done.")));
    expect(await chat.ask("And now nothing.")).toEqual({ status: "completed" });
    expect(await chat.text()).toContain(
      "> **Note:** runs on your machine, and was changed after the last turn, by you or by a program " +
        "that was still running in the sandbox: `.exrc` created: Neovim or Vim runs it on start there, with 'exrc'.",
    );
  });

  it("is named when the sandbox ends if something inside made it after the last turn", async () => {
    const { chat, model, place } = shared();
    await chat.startAnew();
    model.answerInTurn(reply(message("Nothing.")));
    expect(await chat.ask("Do nothing.")).toEqual({ status: "completed" });
    await place.inside(`echo evil > '${place.project}/.nvimrc'`);
    await chat.command("sandbox stop");
    await chat.until("`.nvimrc` created: Neovim or Vim runs it on start there");
    // The text and the record are written side by side.
    await expect
      .poll(() => auditOf(chat.projectDir, "protected_file"), WAIT)
      .toContainEqual(expect.objectContaining({ path: ".nvimrc", change: "created" }));
  });
});

describe("the audit log of a real turn", SLOW, () => {
  const shared = share();

  it("that cannot be written is reported in the conversation, and the turn continues", async () => {
    const { chat, model } = shared();
    await mkdir(join(chat.projectDir, "audit.jsonl"));
    model.answerInTurn(reply(message("Well.")));
    expect(await chat.ask("Go on.")).toEqual({ status: "completed" });
    await chat.until(/The audit log cannot be written: .*The turn goes on/);
    expect(await chat.state("sandbox")).toBe("gVisor, not recorded");
    await rmdir(join(chat.projectDir, "audit.jsonl"));
    expect(await chat.ask("And on.")).toEqual({ status: "completed" });
    await expect.poll(() => chat.state("sandbox"), WAIT).toBe("gVisor");
    // What waited is there.
    await expect
      .poll(() => auditOf(chat.projectDir, "sandbox"), WAIT)
      .toMatchObject([{ action: "started" }]);
  });

  it("records the sandbox, its self-test, commands, patches and model requests, without content", async () => {
    const { chat, model } = shared();
    model.answerInTurn(
      reply(exec("echo a-secret-word; exit 3")),
      reply(applyPatch("*** Begin Patch\n*** Add File: new.txt\n+the patch's text\n*** End Patch")),
      reply(message("The answer's words.")),
    );
    expect(await chat.ask("The question's words.")).toEqual({ status: "completed" });
    await chat.command("sandbox stop");
    const ended = () => auditOf(chat.projectDir, "sandbox").then((all) => all.at(-1)?.["action"]);
    await expect.poll(ended, WAIT).toBe("stopped");

    const [patch] = await auditOf(chat.projectDir, "patch");
    const [command] = await auditOf(chat.projectDir, "command");
    expect(command).toMatchObject({
      command: expect.stringContaining("echo a-secret-word; exit 3"),
      exitCode: 3,
      status: "failed",
      outputBytes: 14,
      chat: expect.stringMatching(/\.md$/),
      thread: expect.any(String),
    });
    expect(patch).toMatchObject({ files: [{ change: "add" }], status: "completed" });
    const requests = (await auditOf(chat.projectDir, "model_request")).slice(-3);
    expect(requests.map((record) => [record["outcome"], record["status"]])).toEqual([
      ["done", 200],
      ["done", 200],
      ["done", 200],
    ]);
    for (const { bytesOut, bytesIn } of requests) expect([bytesOut, bytesIn]).not.toContain(0);
    expect(await auditOf(chat.projectDir, "self_test")).toMatchObject([
      { passed: true, runtime: "runsc", gvisor: true },
    ]);
    const text = await readFile(join(chat.projectDir, "audit.jsonl"), "utf8");
    for (const words of ["answer's", "question's", "patch's"]) expect(text).not.toContain(words);
  });
});
