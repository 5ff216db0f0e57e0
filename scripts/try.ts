/**
 * `npm run try`: prepares everything and holds a conversation: with a terminal, in a Neovim that you
 * use; without one, in a Neovim that this script drives, and the conversation goes to stdout.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type ModelServer, startModelServer, tour } from "../src/offline/index.ts";
import { checkout, formatSetupError, type Ready, setUp, toStderr } from "./setup/index.ts";
import { parseTryArguments, TRY_USAGE, type TryArguments } from "./try/arguments.ts";
import { runHeadless } from "./try/headless.ts";
import { type TrialPlace, trialPlace } from "./try/project.ts";

/** A model for which Codex 0.171 offers its tool to edit files. */
const OFFLINE_MODEL = "gpt-5.5";
const FIRST_QUESTION = "What is this project, and where do your commands run?";

process.exitCode = await main();
// Handles of libraries must not keep a finished run alive.
process.exit();

async function main(): Promise<number> {
  const parsed = parseTryArguments(process.argv.slice(2), process.cwd());
  if (!parsed.ok) return fail(`${parsed.error}\n\n${TRY_USAGE}`);
  const place = await trialPlace(parsed.value);
  if (!place.ok) return fail(place.error);
  const ready = await setUp({ neovim: "one", engine: true });
  if (!ready.ok) return fail(formatSetupError(ready.error));
  const model = isOffline(parsed.value) ? await startModelServer({ script: tour }) : undefined;
  try {
    return await converse(parsed.value, place.value, ready.value, model);
  } finally {
    await model?.close();
    await ready.value.close();
  }
}

function isOffline(args: TryArguments): boolean {
  return args.modelUrl === undefined && (process.env["OPENAI_API_KEY"] ?? "") === "";
}

async function converse(
  args: TryArguments,
  place: TrialPlace,
  ready: Ready,
  model: ModelServer | undefined,
): Promise<number> {
  const isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const [neovim] = ready.neovims;
  if (neovim === undefined) return fail("There is no Neovim to run.");
  const init = join(checkout, "scripts", "try", "init.lua");
  const given = {
    plugin: checkout,
    config: configFor(args, place, ready, model),
    truecolor: /truecolor|24bit/.test(process.env["COLORTERM"] ?? ""),
    interactive: isInteractive,
    questions: args.questions,
  };
  const env = { ...process.env, CODEX_CHAT_TRY: JSON.stringify(given) };
  const nvimArgs = ["--clean", "-u", init];
  if (isInteractive) {
    const child = spawn(neovim.program, nvimArgs, { cwd: place.root, env, stdio: "inherit" });
    const [code] = (await once(child, "exit")) as [number | null];
    toStderr(`The project you worked on: ${place.root}`);
    return code ?? 1;
  }
  const end = await runHeadless({
    nvim: neovim.program,
    args: nvimArgs,
    env,
    cwd: place.root,
    questions: args.questions.length > 0 ? args.questions : [FIRST_QUESTION],
    timeoutMs: args.timeoutMs,
    progress: toStderr,
  });
  process.stdout.write(end.markdown);
  return end.failure === undefined ? 0 : fail(end.failure);
}

/** The plugin's configuration for this trial; all other settings keep their defaults. */
function configFor(
  args: TryArguments,
  place: TrialPlace,
  ready: Ready,
  server: ModelServer | undefined,
): object {
  const modelUrl = args.modelUrl ?? server?.url;
  const model = args.model ?? (server === undefined ? undefined : OFFLINE_MODEL);
  return {
    state_dir: place.stateDir,
    node: process.execPath,
    ...(modelUrl === undefined ? {} : { model_url: modelUrl }),
    ...(model === undefined ? {} : { model }),
    ...(args.approvals === undefined ? {} : { approvals: args.approvals }),
    sandbox: {
      ...(ready.engine === undefined ? {} : { engine: ready.engine.host }),
      ...(ready.baseImage === undefined ? {} : { base_image: ready.baseImage }),
      // The private engine has no bridge for a build's own containers.
      ...(ready.engine?.isPrivate === true ? { build_network: "host" } : {}),
    },
  };
}

function fail(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return 1;
}
