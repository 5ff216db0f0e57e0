import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { execa } from "execa";
import { ownHomes } from "../../src/own-user.ts";
import { err, ok, type Result } from "../../src/result.ts";
import { cacheDir, checkout } from "../setup/index.ts";

/** Where a trial works, and where it keeps its conversations. */
export type TrialPlace = { readonly root: string; readonly stateDir: string };

/**
 * Finds the trial's project: the user's own directory, in place, or a fresh scratch copy of this
 * repository. The error is one sentence.
 */
export async function trialPlace(options: {
  readonly project: string | undefined;
  readonly state: string | undefined;
}): Promise<Result<TrialPlace, string>> {
  let root: string;
  if (options.project === undefined) root = await scratchCopy();
  else if (existsSync(options.project)) root = await realpath(options.project);
  else return err(`--project ${options.project}: there is no such directory`);
  return ok({ root, stateDir: options.state ?? defaultState(root) });
}

/** State in the cache, unless the project contains it: the sandbox would then reach it. */
function defaultState(root: string): string {
  const inCache = join(cacheDir, "try", "state");
  if (relative(root, inCache).startsWith("..")) return inCache;
  const home = ownHomes(process.env)[0];
  const states = process.env["XDG_STATE_HOME"] || join(home ?? tmpdir(), ".local", "state");
  return join(states, "codex-chat-try");
}

/** A clone of what is committed, so that the trial can do no harm to a work tree. */
async function scratchCopy(): Promise<string> {
  const parent = join(cacheDir, "try");
  await mkdir(parent, { recursive: true });
  const root = join(await mkdtemp(join(parent, "scratch-")), "codex-chat.nvim");
  if (existsSync(join(checkout, ".git"))) {
    await execa("git", ["clone", "--quiet", "--no-hardlinks", checkout, root]);
    await execa("git", ["-C", root, "remote", "remove", "origin"]);
  } else {
    await mkdir(root);
    await execa("cp", [
      "-r",
      ...["README.md", "lua", "src"].map((name) => join(checkout, name)),
      root,
    ]);
  }
  return root;
}
