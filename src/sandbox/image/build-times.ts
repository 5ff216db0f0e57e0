import { createHash } from "node:crypto";
import { join } from "node:path";
import { writePrivate } from "../../atomic-write.ts";
import { parseJson } from "../../parse-json.ts";
import { ownDirectory, readOwnFile } from "../private-file.ts";
import { StepTimes } from "./build-progress.ts";

/**
 * The times of the last build from `from` (a base image or a Dockerfile) on this machine; empty if
 * there was none. They are only good for an estimate, so nothing here fails.
 */
export async function readBuildTimes(stateDir: string, from: string): Promise<StepTimes> {
  try {
    const text = await readOwnFile(pathOf(stateDir, from));
    return text === undefined ? [] : StepTimes.parse(parseJson(text));
  } catch {
    return [];
  }
}

/** Keeps the times of a build for `readBuildTimes`. */
export async function writeBuildTimes(
  stateDir: string,
  from: string,
  times: StepTimes,
): Promise<void> {
  try {
    if ((await ownDirectory(dirOf(stateDir))) !== null) return;
    await writePrivate(pathOf(stateDir, from), `${JSON.stringify(times)}\n`);
  } catch {
    // The next build has no estimate.
  }
}

function dirOf(stateDir: string): string {
  return join(stateDir, "build-times");
}

function pathOf(stateDir: string, from: string): string {
  const hash = createHash("sha256").update(from).digest("hex").slice(0, 16);
  return join(dirOf(stateDir), `${hash}.json`);
}
