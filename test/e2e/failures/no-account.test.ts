import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { testEngine } from "../../support/engine.ts";
import { neovims, startNeovim } from "../../support/neovim.ts";
import { Conversation, Place, ScriptedModel } from "../support.ts";

const isRoot = process.geteuid?.() === 0;
/** Root can be any user; who is not runs this with an account, and without HOME all the same. */
const UID = isRoot ? 4242 : (process.geteuid?.() ?? 0);

/** The engine's socket where another user may open it, too. */
async function openedSocket(host: string, path: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect({ path: host.replace("unix://", ""), allowHalfOpen: true });
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(path);
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  chmodSync(path, 0o666);
  return `unix://${path}`;
}

/** A place of that user's, and the Neovim that the user runs with these arguments of env(1). */
async function ofTheUser(...env: readonly string[]) {
  const shared = await testEngine();
  const directory = (await execa("mktemp", ["-d"])).stdout;
  onTestFinished(async () => void (await execa("rm", ["-rf", directory])));
  chmodSync(directory, 0o755);
  const host = await openedSocket(shared.host, join(directory, "docker.sock"));
  const place = await Place.make({
    git: false,
    engine: { ...shared, host, close: () => shared.close() },
  });
  onTestFinished(() => place[Symbol.asyncDispose]());
  if (isRoot) await execa("chown", ["-R", `${UID}:${UID}`, place.base]);
  const [tested] = neovims;
  if (tested === undefined) throw new Error("there is no Neovim to test on");
  const user = isRoot ? `setpriv --reuid=${UID} --regid=${UID} --clear-groups` : "";
  const path = join(directory, "nvim");
  writeFileSync(path, `#!/bin/sh\nexec env ${env.join(" ")} ${user} '${tested.path}' "$@"\n`);
  chmodSync(path, 0o755);
  return { place, program: { name: tested.name, path } };
}

describe("a user without an account", { timeout: 180_000 }, () => {
  it.each([
    ["without HOME", ["-u", "HOME", "-u", "USER", "-u", "LOGNAME"]],
    ["whose HOME leads nowhere", ["-u", "USER", "-u", "LOGNAME", "HOME=/nowhere"]],
  ])("%s can run a turn, and is the same user inside", async (_, env) => {
    const { place, program } = await ofTheUser(...env);
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model, program });
    model.answerInTurn(reply(exec("id -u > uid.txt; id -un >> uid.txt")), reply(message("Done.")));
    expect(await chat.ask("Who are you?")).toEqual({ status: "completed" });
    const made = join(place.project, "uid.txt");
    expect((await execa("cat", [made])).stdout).toBe(`${UID}\nagent`);
    expect((await execa("stat", ["-c", "%u", made])).stdout).toBe(String(UID));
  });

  it("is warned that conversations would be in the project if no other place is configured", async () => {
    const { place, program } = await ofTheUser("-u", "HOME", "-u", "XDG_STATE_HOME");
    await using nvim = await startNeovim({ cwd: place.project, home: place.home, program });
    const problems = (settings: object) =>
      nvim.lua("return ({ require('codex-chat.config').resolve(...) })[2]", settings);
    const told = expect.stringMatching(
      /^`state_dir` would lie in the working directory: HOME is not set/,
    );
    expect(await problems({})).toEqual(isRoot ? [told] : []);
    expect(await problems({ state_dir: place.state })).toEqual([]);
  });
});
