import { ownHomes } from "../own-user.ts";
import {
  type Engine,
  findShared,
  type ImageOptions,
  imagesInUse,
  limitNotes,
  oldImages,
  ourVolumes,
} from "../sandbox/index.ts";
import type { HealthLine } from "./health.ts";
import { secretPlaces } from "./secret-places.ts";
import type { Settings } from "./settings.ts";

/** What an old image costs at least to be worth a word. */
const WORTH_TELLING_BYTES = 100 * 1024 ** 2;

const SECTION = "Sandbox";

/** What the engine can and cannot do: who runs inside, and which limits hold. */
export function engineLines(engine: Engine): HealthLine[] {
  const lines: HealthLine[] = limitNotes(engine).map((message) => ({
    section: SECTION,
    level: "warn",
    message,
    advice: engine.rootless
      ? ["See https://rootlesscontaine.rs/getting-started/common/cgroup2/"]
      : ["docker info says which are missing, under Warnings."],
  }));
  if (engine.rootless)
    lines.push({
      section: SECTION,
      level: "info",
      message: "the engine is rootless: who is root inside is you outside",
      advice: [],
    });
  return lines;
}

/** Which of the user's own mounts are left out, and why. */
export async function mountLines(
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<HealthLine[]> {
  const lines: HealthLine[] = [];
  const homes = ownHomes(env);
  const outOfReach = [settings.state_dir, ...secretPlaces(env, homes)];
  for (const { source, write } of settings.sandbox.mounts) {
    const found = await findShared(source, { home: homes[0], outOfReach });
    const isRefused = "reason" in found;
    lines.push({
      section: SECTION,
      level: isRefused || write ? "warn" : "ok",
      message: isRefused
        ? `sandbox.mounts: ${source} is not mounted: ${found.reason}`
        : `sandbox.mounts: the agent can ${write ? "write in" : "read"} ${found.path}`,
      advice: [],
    });
  }
  return lines;
}

/** What the plugin keeps on the engine, and what of it could go. */
export async function spaceLines(engine: Engine, options: ImageOptions): Promise<HealthLine[]> {
  try {
    const old = await oldImages(engine, await imagesInUse(engine, options));
    const bytes = old.reduce((sum, it) => sum + it.bytes, 0);
    const volumes = await ourVolumes(engine);
    const lines: HealthLine[] = [];
    if (bytes >= WORTH_TELLING_BYTES)
      lines.push({
        section: SECTION,
        level: "info",
        message: `${old.length} images of earlier versions take up to ${(bytes / 1024 ** 3).toFixed(1)} GiB; :CodexChat sandbox prune removes them`,
        advice: [],
      });
    if (volumes.length > 0)
      lines.push({
        section: SECTION,
        level: "ok",
        message: `caches: ${volumes.length} volumes of projects; docker system df -v shows their sizes`,
        advice: [],
      });
    return lines;
  } catch (cause) {
    const message = `what the plugin keeps on the engine cannot be told: ${(cause as Error).message}`;
    return [{ section: SECTION, level: "warn", message, advice: [] }];
  }
}
