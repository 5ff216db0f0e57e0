import { writeFileSync } from "node:fs";
import { it } from "vitest";
import { exec, functionCall, message, reply } from "../../src/offline/index.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

it("probe", async () => {
  await using home = await CodexHome.make();
  await using model = await ScriptedModel.start();
  await using server = await AppServer.start({ home, model });
  const raw: string[] = [];
  server.process.stdout.on("data", (d) => raw.push(String(d)));
  model.answer((request, n) => {
    if (n === 0)
      return reply(functionCall("exec_command", { cmd: "bash", tty: true, yield_time_ms: 300 }));
    if (n === 1) {
      const id = /session ID (\d+)/.exec(request.allOutputs().join())?.[1];
      return reply(
        functionCall("write_stdin", {
          session_id: Number(id),
          chars: "echo hi-there\n",
          yield_time_ms: 300,
        }),
      );
    }
    if (n === 2)
      return reply(
        functionCall("write_stdin", {
          session_id: Number(/session ID (\d+)/.exec(request.allOutputs().join())?.[1]),
          chars: "exit\n",
          yield_time_ms: 300,
        }),
      );
    return reply(message("ok"));
  });
  const t = await server.startThread("untrusted");
  const end = await server.turn(t, "go");
  writeFileSync(
    "/tmp/probe.txt",
    JSON.stringify(end) +
      "\n" +
      raw.join("") +
      "\nSTDERR " +
      server.stderr +
      "\n" +
      JSON.stringify(model.requests.at(-1)?.allOutputs(), null, 1),
  );
});
