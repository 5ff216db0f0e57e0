/**
 * The host process: one per Neovim, which starts it as a job and speaks msgpack-RPC with it over
 * stdin and stdout. With `--health <project>` it checks the set-up instead and prints the findings as
 * JSON; with `--shell` it is the inner side of a terminal in which a shell of the sandbox is shown.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ReadStream, WriteStream } from "node:tty";
import { connectEditor } from "./nvim/index.ts";
import { Host, openLog, pluginDir } from "./session/index.ts";

const { version } = JSON.parse(readFileSync(join(pluginDir, "package.json"), "utf8")) as {
  version: string;
};

if (process.argv.includes("--version")) {
  process.stdout.write(`${version}\n`);
} else if (process.argv.includes("--health")) {
  const settings: unknown = JSON.parse((await text(process.stdin)) || "{}");
  const { checkHealth } = await import("./session/health/index.ts");
  const root = process.argv[process.argv.indexOf("--health") + 1] ?? process.cwd();
  process.stdout.write(`${JSON.stringify(await checkHealth(settings, process.env, root))}\n`);
} else if (process.argv.includes("--shell")) {
  const { runShell, ShellOptions } = await import("./sandbox/shell/index.ts");
  const options: unknown = JSON.parse(process.argv[process.argv.indexOf("--shell") + 1] ?? "{}");
  const code = await runShell(ShellOptions.parse(options), {
    input: process.stdin as ReadStream,
    output: process.stdout as WriteStream,
  });
  process.exit(code);
} else {
  await serve();
}

async function serve(): Promise<void> {
  const log = openLog(process.env["CODEX_CHAT_LOG_FILE"], process.env["CODEX_CHAT_LOG_LEVEL"]);
  log.info({ pid: process.pid, version, node: process.version }, "the host starts");
  // A bug must not end the conversations: it is logged, and the part that failed reports it.
  process.on("uncaughtException", (error) => log.error({ err: error }, "uncaught exception"));
  process.on("unhandledRejection", (error) => log.error({ err: error }, "unhandled rejection"));

  const editor = connectEditor({ readable: process.stdin, writable: process.stdout, log });
  const host = new Host({ editor, log, env: process.env, version });
  const asked = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => resolve());
  });
  await Promise.race([editor.closed, asked]);
  await host.close();
  log.info({}, "the host ends");
  process.exit(0);
}
