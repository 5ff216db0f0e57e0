/** A sandbox's ordinary ends, and what a whole conversation leaves on this machine. */

import { chmod, lstat, mkdir, readdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { expect, it } from "vitest";
import { codeOf } from "../../../src/error-code.ts";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW, share, WAIT } from "../support.ts";

const DOT = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** Answers for files that the host has removed since they were listed. */
function ifGone<T>(answer: T): (cause: unknown) => T {
  return (cause) => {
    if (codeOf(cause) === "ENOENT") return answer;
    throw cause;
  };
}

/** What is below a directory and may be read or written by others than its owner. */
async function openBelow(dir: string, skip: RegExp, root = dir): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(ifGone([]))) {
    const path = join(dir, entry.name);
    const name = relative(root, path);
    const stats = await lstat(path).catch(ifGone(undefined));
    if (stats === undefined) continue;
    const mode = stats.mode & 0o777;
    if (!entry.isSymbolicLink() && (mode & 0o077) !== 0) found.push(`${name} ${mode.toString(8)}`);
    if (entry.isDirectory() && !skip.test(name)) found.push(...(await openBelow(path, skip, root)));
  }
  return found;
}

const shared = share({ config: { approvals: "untrusted", log_level: "debug" } });

it("a conversation leaves nothing that another user of the machine can read", SLOW, async () => {
  const { chat, place, model } = shared();
  await writeFile(join(place.project, "dot.png"), DOT);
  model.answerInTurn(
    reply(
      exec(
        "git config user.email a@b && git config user.name a && git add . && git commit -qm one",
      ),
    ),
    reply(message("Committed.")),
  );
  await chat.send("Commit @image:dot.png and @hello.txt");
  await chat.waitForQuestion();
  await chat.answer("a");
  expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
  await chat.untilSaved();
  expect(await chat.text()).toContain("1 commit");
  // What is written inside lies below directories that are closed.
  const inside = /\/codex-home$|\/git$/;
  expect(await openBelow(place.state, inside)).toEqual([]);
  // The control: it sees what is open.
  await writeFile(join(place.state, "open"), "", { mode: 0o644 });
  await chmod(join(place.state, "open"), 0o644);
  expect(await openBelow(place.state, inside)).toEqual(["open 644"]);
});

it(
  "a sandbox is rebuilt without the old image, and its caches are emptied, once the user has agreed",
  SLOW,
  async () => {
    const { place, model } = shared();
    // On an image that needs nothing from the network: the sandbox's own.
    const first = await place.container();
    const { Config } = await first.inspect();
    await using chat = await Conversation.open({
      place: shared().place,
      model,
      cwd: await otherProject(place),
      config: { sandbox: { image: Config.Image, caches: { dirs: ["node_modules"] } } },
    });
    model.answerInTurn(reply(message("Hello.")));
    expect(await chat.ask("Hello?")).toEqual({ status: "completed" });
    const mine = async () =>
      (await place.containers()).filter((other) => other.Id !== first.id).map((other) => other.Id);
    const [container = ""] = await mine();
    const before = await place.docker.getContainer(container).inspect();
    const volumes = before.Mounts.flatMap(({ Name }) => (Name === undefined ? [] : [Name]));
    const made = await volumesMade(place, volumes);
    expect(made.length).toBeGreaterThan(0);

    // Nobody is there to be asked: the command that does without is named, and works.
    await chat.command("sandbox rebuild");
    await expect
      .poll(async () => (await chat.notifications()).at(-1), WAIT)
      .toContain("nobody can answer the question here");
    expect(await mine()).toContain(container);
    const named = /`:(CodexChat! .*)`/.exec((await chat.notifications()).at(-1) ?? "")?.[1];
    await chat.nvim.command(named ?? "");
    await expect.poll(mine, { timeout: 120_000 }).not.toContain(container);
    await expect.poll(mine, WAIT).toHaveLength(1);
    await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
    const after = await place.docker.getContainer((await mine())[0] ?? "").inspect();
    expect(after.Image).not.toBe(before.Image);
    // It goes last, when the new sandbox runs.
    await expect
      .poll(() => place.docker.getImage(before.Image).inspect().then(String, String), WAIT)
      .toMatch(/No such image/i);
    expect(await volumesMade(place, volumes)).toEqual(made);
    model.answerInTurn(
      reply(exec("head -c 3000000 /dev/urandom > ~/.cache/big; ls ~/.cache")),
      reply(message("Again.")),
      reply(exec("ls -A ~/.cache; echo over")),
      reply(message("Empty.")),
    );
    expect(await chat.ask("Again?")).toEqual({ status: "completed" });

    // With somebody there, each says what goes and what stays; nothing is done before the answer.
    await chat.nvim.lua(`
      _G.asked, _G.choice = {}, "Keep it"
      vim.ui.select = function(items, opts, done) table.insert(_G.asked, opts.prompt) done(_G.choice) end`);
    const asked = (count: number) =>
      expect.poll(() => chat.nvim.lua<string[]>("return _G.asked"), WAIT).toHaveLength(count);
    await chat.command("sandbox rebuild");
    await asked(1);
    await chat.command("sandbox clear");
    await asked(2);
    const [rebuild, clear] = await chat.nvim.lua<string[]>("return _G.asked");
    expect(rebuild).toMatch(/old image is removed.*caches stay as well: .*tools \([34] MiB\)/);
    expect(clear).toMatch(
      /Remove .*tools \([34] MiB\).*Your files, conversations and commits stay\./,
    );
    // What is in them is still there.
    expect((await mine())[0]).toBe(after.Id);
    await chat.nvim.lua(`_G.choice = "Remove it"`);
    await chat.command("sandbox clear");
    await expect
      .poll(async () => (await chat.notifications()).at(-1), WAIT)
      .toMatch(/removed .*tools.*; the next message starts without/);
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs().at(-1)).not.toContain("big");
    await chat.quit();
    await place.docker.getImage(after.Image).remove({ force: true });
  },
);

it(
  "a sandbox ends after idle_minutes without a query, and starts for the next one",
  SLOW,
  async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({
      place,
      model,
      config: { sandbox: { idle_minutes: 0.03 } },
    });
    model.answerInTurn(reply(message("Hello.")), reply(message("Again.")));
    expect(await chat.ask("The first question.")).toEqual({ status: "completed" });
    await expect
      .poll(
        () =>
          place.docker
            .listContainers({ all: true })
            .then((all) =>
              all.filter((container) =>
                container.Labels["codex-chat.state"]?.startsWith(place.state),
              ),
            ),
        WAIT,
      )
      .toEqual([]);
    expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "The first question.",
      "The second question.",
    ]);
  },
);

async function otherProject(place: Place): Promise<string> {
  const dir = join(place.base, "work", "other");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "package.json"), "{}");
  return dir;
}

/** When each of these volumes was made. */
async function volumesMade(place: Place, names: readonly string[]): Promise<string[]> {
  const all = await Promise.all(names.map((name) => place.docker.getVolume(name).inspect()));
  return all.map((volume) => (volume as unknown as { CreatedAt: string }).CreatedAt);
}
