import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { message, reply, silence } from "../../../src/offline/reply.ts";
import { ownEngine } from "../../support/engine.ts";
import { itAsRoot } from "../../support/root.ts";
import { runtimeProcesses } from "../runtime-processes.ts";
import { killAndRestart, mountsBelow } from "../supervisor.ts";
import { Conversation, Gate, Place, ScriptedModel, until, WAIT } from "../support.ts";

// The first run on a machine builds the image on this engine.
describe("an engine that is killed in the middle of a turn", { timeout: 600_000 }, () => {
  itAsRoot(
    "fails the turn but keeps the received text, and the next turn remembers it on a new engine",
    async () => {
      await using engine = await ownEngine({ name: "e2e" });
      await using place = await Place.make({ engine });
      await using model = await ScriptedModel.start();
      await using chat = await Conversation.open({ place, model });
      // The image may have to be built first.
      model.answerInTurn(reply(message("Ready.")));
      await chat.send("The first question.");
      await chat.until("Ready.", { timeout: 500_000 });
      await chat.waitForTurnEnd();
      model.answerInTurn(reply(message("Half of the answer"), silence()));
      await chat.send("The second question.");
      await chat.until("Half of the answer");

      process.kill(engine.pid, "SIGKILL");

      const end = await chat.waitForTurnEnd();
      expect(end.status).toBe("failed");
      expect(await chat.text()).toMatch(/Half of the answer\n\n> \*\*Error:\*\* /);
      await engine.close();
      await expect.poll(() => existsSync(dirname(engine.host.slice(7))), WAIT).toBe(false);
      expect((await chat.ask("The third question.")).failure?.kind).toBe("engine_unreachable");

      await using _again = await ownEngine({ name: "e2e" });
      model.answerInTurn(reply(message("I am back.")));
      await chat.command("retry");
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      expect(await chat.text()).toContain("I am back.");
      expect(model.requests.at(-1)?.userTexts()).toEqual([
        "The first question.",
        "The second question.",
        "The third question.",
      ]);
      await chat.quit();
      expect(await place.containers()).toEqual([]);
    },
  );
});

describe("an engine that is paused, then restarted", { timeout: 600_000 }, () => {
  itAsRoot(
    "lets the paused turn continue, and fails the other one with a message after which the next works",
    async () => {
      await using place = await Place.make({ engine: await ownEngine({ name: "e2e" }) });
      const pid = (place.engine as { pid?: number }).pid ?? 0;
      await using model = await ScriptedModel.start();
      await using chat = await Conversation.open({ place, model });
      const gate = new Gate();
      model.answer(() => reply(message("Half of it."), until(gate), message("The rest.")));
      await chat.send("The first question.");
      await chat.until("Half of it.", { timeout: 500_000 });
      process.kill(pid, "SIGSTOP");
      await sleep(1_500);
      gate.open();
      await sleep(1_500);
      process.kill(pid, "SIGCONT");
      expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
      expect(await chat.text()).toContain("The rest.");

      model.answerInTurn(reply(message("Half of another"), silence()));
      await chat.send("The second question.");
      await chat.until("Half of another");
      const { id } = await place.container();
      // As `systemctl restart docker` does: it ends what runs first.
      process.kill(pid, "SIGTERM");
      const end = await chat.waitForTurnEnd();
      expect(end.status).toBe("failed");
      expect(end.failure?.message).toMatch(/sandbox|engine|relay|app-server/);
      expect(end.failure?.fix).toMatch(/Send again/);
      await expect.poll(() => runtimeProcesses(id), WAIT).toEqual([]);
      await place.engine.close();
      await expect.poll(() => existsSync(dirname(place.engine.host.slice(7))), WAIT).toBe(false);
      await using _again = await ownEngine({ name: "e2e" });
      model.answerInTurn(reply(message("I am back.")));
      expect(await chat.ask("The third question.")).toEqual({ status: "completed" });
      expect(model.requests.at(-1)?.userTexts()).toEqual([
        "The first question.",
        "The second question.",
        "The third question.",
      ]);
      await chat.quit();
      expect(await place.containers()).toEqual([]);
    },
  );
});

describe("an engine that is killed and started again by its supervisor", {
  timeout: 600_000,
}, () => {
  itAsRoot(
    "has nothing left of the old sandbox: no container, no gVisor process, no mount",
    async () => {
      await using engine = await ownEngine({ name: "e2e" });
      await using place = await Place.make({ engine });
      await using model = await ScriptedModel.start();
      await using chat = await Conversation.open({ place, model });
      const before = await mountsBelow(dirname(engine.host.slice(7)), "engine-e2e");
      model.answerInTurn(reply(message("Half of the answer"), silence()));
      await chat.send("The first question.");
      await chat.until("Half of the answer", { timeout: 500_000 });
      const { id } = await place.container();

      const killed = await killAndRestart(engine.host, engine.pid);
      try {
        expect((await chat.waitForTurnEnd()).status).toBe("failed");
        // The control: without an engine, what runs goes on.
        expect(await runtimeProcesses(id)).not.toEqual([]);
        await using _again = await killed.start();
        await expect.poll(() => runtimeProcesses(id), WAIT).toEqual([]);
        model.answerInTurn(reply(message("I am back.")));
        expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
        const all = await place.docker.listContainers({ all: true });
        expect(all.map((container) => container.Id)).toEqual([(await place.container()).id]);
        await chat.quit();
        expect(await place.docker.listContainers({ all: true })).toEqual([]);
        const mounts = () => mountsBelow(dirname(engine.host.slice(7)), "engine-e2e");
        await expect.poll(mounts, WAIT).toEqual(before);
      } finally {
        killed.release();
      }
    },
  );
});
