import { chmod, mkdir, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { Gate, SLOW, share, until, WAIT } from "../support.ts";

describe("the changes of a turn", SLOW, () => {
  const shared = share();
  beforeEach(() => shared().chat.startAnew());

  const at = (name: string) => join(shared().place.project, name);
  const read = (name: string) => readFile(at(name), "utf8");

  /** Waits for a message that comes after those that were waited for before. */
  async function notified(text: string): Promise<void> {
    const { chat } = shared();
    await expect.poll(async () => (await chat.notifications()).at(-1), WAIT).toContain(text);
    await chat.nvim.lua("_G.notified = {}");
  }

  it("are undone and redone, and Codex is informed", async () => {
    const { chat, model } = shared();
    await writeFile(at("kept.txt"), "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
    await writeFile(at("gone.bin"), Buffer.from([0, 1, 2, 255, 254]));
    await writeFile(at("tool.sh"), "echo\n");
    await chmod(at("tool.sh"), 0o600);
    await mkdir(at("empty"));
    model.answerInTurn(
      reply(
        exec(
          "sed -i s/two/TWO/ kept.txt; rm gone.bin; rmdir empty; chmod +x tool.sh; mkdir -p 'new dir/ä'; echo x > 'new dir/ä/made.txt'; ln -s kept.txt link",
        ),
      ),
      reply(applyPatch("*** Begin Patch\n*** Add File: patched.txt\n+hello\n*** End Patch\n")),
      reply(message("Done.")),
    );
    expect(await chat.ask("Change everything.")).toEqual({ status: "completed" });
    expect(await read("kept.txt")).toContain("TWO");
    // The user goes on in the meantime, elsewhere in the same file.
    await writeFile(at("kept.txt"), (await read("kept.txt")).replace("seven", "7"));

    await chat.command("undo");
    await notified("taken back: 6 files.");
    expect(await read("kept.txt")).toBe("one\ntwo\nthree\nfour\nfive\nsix\n7\n");
    expect(await readFile(at("gone.bin"))).toEqual(Buffer.from([0, 1, 2, 255, 254]));
    expect((await stat(at("tool.sh"))).mode & 0o777).toBe(0o600);
    const names = await readdir(shared().place.project);
    expect(names).toContain("empty");
    for (const name of ["new dir", "link", "patched.txt"]) expect(names).not.toContain(name);
    await chat.until(
      '> **Note:** Took back what Codex changed in answer to "Change everything.": 6 files.',
    );

    await chat.command("redo");
    await notified("brought back: 6 files.");
    expect(await read("kept.txt")).toBe("one\nTWO\nthree\nfour\nfive\nsix\n7\n");
    expect(await read("new dir/ä/made.txt")).toBe("x\n");
    expect(await readlink(at("link"))).toBe("kept.txt");
    expect((await stat(at("tool.sh"))).mode & 0o777).toBe(0o711);
    expect(await readdir(shared().place.project)).not.toContain("gone.bin");

    await chat.command("undo");
    await notified("taken back: 6 files.");
    model.answerInTurn(reply(message("I see.")));
    expect(await chat.ask("What now?")).toEqual({ status: "completed" });
    const sent = JSON.stringify(model.requests.at(-1)?.body);
    expect(sent).toContain("The user took back what you changed in answer to");
    expect(sent).toContain("patched.txt");
    // A turn that has changed nothing is not in the way.
    await chat.command("redo");
    await notified("brought back: 6 files.");
    expect(await read("patched.txt")).toBe("hello\n");
    await chat.command("redo");
    await notified("There is nothing to bring back: nothing was taken back in this conversation.");
  });

  it("are left as they are if the user has changed the same lines since", async () => {
    const { chat, model } = shared();
    await writeFile(at("both.txt"), "one\n");
    model.answerInTurn(
      reply(exec("echo ONE > both.txt; echo 1 > other.txt")),
      reply(message("Done.")),
    );
    await chat.ask("Shout.");
    await writeFile(at("both.txt"), "mine\n");
    await chat.command("undo");
    await expect.poll(() => readdir(shared().place.project), WAIT).not.toContain("other.txt");
    expect(await read("both.txt")).toBe("mine\n");
    await chat.until("one file, and left one that changed since.");
    const list = "return vim.fn.getqflist()";
    await expect.poll(() => chat.nvim.lua<unknown[]>(list), WAIT).not.toEqual([]);
  });

  it("do not include those that the user saves meanwhile", async () => {
    const { chat, model } = shared();
    await writeFile(at("both.txt"), "one\ntwo\nthree\nfour\nfive\n");
    const gate = new Gate();
    model.answerInTurn(
      reply(exec("sed -i s/one/ONE/ both.txt")),
      reply(message("Changed; more to come."), until(gate)),
    );
    await chat.send("Shout the first line.");
    await chat.until("Changed; more to come.");
    await chat.nvim.command(`stopinsert | split ${at("both.txt")} | 5s/five/5/ | write | close`);
    expect(await read("both.txt")).toBe("ONE\ntwo\nthree\nfour\n5\n");
    gate.open();
    await chat.waitForTurnEnd();
    await chat.command("undo");
    await notified("taken back: 1 file.");
    expect(await read("both.txt")).toBe("one\ntwo\nthree\nfour\n5\n");
    expect(await readdir(join(chat.projectDir, "checkpoints/saves"))).toEqual([]);
  });

  it("are undone for the earlier turn that the cursor is in", async () => {
    const { chat, model } = shared();
    for (const name of ["first", "second"]) {
      model.answerInTurn(reply(exec(`echo 1 > ${name}.txt`)), reply(message("Done.")));
      await chat.ask(`Make the ${name} file.`);
    }
    await chat.nvim.command("stopinsert | 1 | call search('^Make the first file')");
    await chat.command("undo turn");
    await notified("taken back: 1 file.");
    const names = await readdir(shared().place.project);
    expect(names).toContain("second.txt");
    expect(names).not.toContain("first.txt");
    await chat.command("redo");
    await notified("brought back: 1 file.");
    await chat.command("undo since");
    await notified("taken back: 2 files.");
  });

  it.each(["fork", "revert"])(
    "are also undone by :CodexChat %s if the user agrees",
    async (command) => {
      const { chat, model } = shared();
      for (const name of ["kept", "dropped"]) {
        model.answerInTurn(
          reply(exec(`echo ${command} > ${name}-${command}.txt`)),
          reply(message("Done.")),
        );
        await chat.ask(`Make the ${name} file.`);
      }
      await chat.nvim.lua(
        `vim.ui.select = function(items, opts, done)
         _G.offered = { items = items, prompt = opts.prompt }
         vim.schedule(function() done(items[2], 2) end)
       end`,
      );
      await chat.nvim.command("stopinsert | 1 | call search('^Make the kept file')");
      // In the answer: the turn after it goes.
      await chat.nvim.command("call search('^Done')");
      await (command === "fork" ? chat.adopt(command) : chat.command(command));
      await expect
        .poll(() => readdir(shared().place.project), WAIT)
        .not.toContain(`dropped-${command}.txt`);
      expect(await readdir(shared().place.project)).toContain(`kept-${command}.txt`);
      expect(await chat.nvim.lua("return _G.offered")).toMatchObject({
        items: expect.arrayContaining([
          command === "fork"
            ? "Take the changes back"
            : "Drop, and take back their changes to one file",
        ]),
      });
      await expect.poll(() => chat.text(), WAIT).not.toContain("Make the dropped file.");
    },
  );
});
