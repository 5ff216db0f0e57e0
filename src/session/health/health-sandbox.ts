import { join } from "node:path";
import { ownHomes, ownUser } from "../../own-user.ts";
import { findProgram } from "../../programs.ts";
import { ourVolumes } from "../../sandbox/caches/index.ts";
import {
  acceptsWeaker,
  type CheckedRuntime,
  checkRuntime,
  type Engine,
  findEngine,
  lookForRuntime,
} from "../../sandbox/engine/index.ts";
import {
  findImage,
  type ImageOptions,
  imagesInUse,
  oldImages,
  type SandboxImage,
} from "../../sandbox/image/index.ts";
import { limitNotes } from "../../sandbox/index.ts";
import { FLOCK_MISSING } from "../../sandbox/locks/index.ts";
import { selfTest } from "../../sandbox/self-test/index.ts";
import { findShared } from "../../sandbox/shared/index.ts";
import { canFetchPackages, DOWNLOAD, imageOptions, secretPlaces } from "../backend/index.ts";
import { pluginDir } from "../plugin-dir.ts";
import type { Settings } from "../settings/index.ts";
import { diskSpaceLines } from "./health-disk.ts";
import { failedLine, type HealthLine, healthLine, ofStep } from "./health-line.ts";

/** Old images are mentioned from this size on. */
const MIN_REPORTED_BYTES = 100 * 1024 ** 2;

const SECTION = "Sandbox";

/** The space that the image, its build and the caches of one project need. */
const ROOM_FOR_IMAGE_BYTES = 3 * 1024 ** 3;

/**
 * Checks engine, runtime, image and self-test, in this order. After a failure it goes on with the
 * checks that do not depend on it.
 */
export async function checkSandbox(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  root: string,
): Promise<HealthLine[]> {
  const lines: HealthLine[] = [];
  const { engine: host, runtime: name } = settings.sandbox;
  const found = await findEngine({ env, ...(host === undefined ? {} : { host }) });
  const flock = findProgram("flock", env).ok
    ? []
    : [healthLine(SECTION, "error", `${FLOCK_MISSING.message}.`, [FLOCK_MISSING.fix])];
  lines.push(...ofStep("engine", ...flock, ...engineLines(found)));
  lines.push(...(await mountLines(settings, env)));

  const runtime = found.ok ? await checkRuntime(found.value, { runtime: name }) : undefined;
  const program =
    found.ok && runtime?.ok ? await lookForRuntime(found.value, runtime.value) : undefined;
  if (runtime?.ok)
    lines.push(...ofStep("gvisor", healthLine(SECTION, "ok", runtimeLine(runtime.value))));
  else if (runtime !== undefined)
    lines.push(...ofStep("gvisor", failedLine(SECTION, runtime.error)));
  if (program?.at === "unknown")
    lines.push(
      healthLine(
        SECTION,
        "info",
        `whether the program of the runtime exists could not be checked: ${program.why}; the self-test will show it`,
      ),
    );

  const wanted = await imageOptions(settings, root);
  const image = found.ok && wanted.ok ? await imageLines(found.value, wanted.value) : undefined;
  // Without an engine, Codex's programs alone say nothing about an image.
  if (image !== undefined || !wanted.ok)
    lines.push(...ofStep("image", ...codexLines(wanted), ...(image?.lines ?? [])));
  else lines.push(...codexLines(wanted));

  const wrong = program?.at === "wrong" ? [failedLine(SECTION, program.error)] : [];
  if (!found.ok || !runtime?.ok || image?.image === undefined) {
    // Without a container nothing proves that the engine finds the program elsewhere.
    lines.push(...ofStep("gvisor", ...wrong));
    lines.push(healthLine(SECTION, "info", "the self-test was not run: it needs all of the above"));
    return lines;
  }
  const { uid, gid } = ownUser();
  const report = await selfTest(found.value, {
    runtime: runtime.value,
    image: image.image,
    cacheDir: join(settings.state_dir, "self-test"),
    uid,
    gid,
    acceptWeaker: acceptsWeaker(name),
    fresh: true,
  });
  if (!report.ok)
    return [...lines, ...ofStep("gvisor", ...wrong, failedLine(SECTION, report.error))];
  const { gvisor, kernel, checks } = report.value;
  const proof = `self-test: kernel ${kernel}, ${checks.length} attempts to break out failed`;
  const weaker = `${proof}, but ${runtime.value.name} is not gVisor: it is weaker`;
  const passed = healthLine(SECTION, gvisor ? "ok" : "warn", gvisor ? proof : weaker);
  return [...lines, ...ofStep("gvisor", passed)];
}

/** Whether Codex's programs are there, or come with the first message. */
function codexLines(wanted: Awaited<ReturnType<typeof imageOptions>>): HealthLine[] {
  if (wanted.ok)
    return [
      healthLine(SECTION, "ok", `Codex ${wanted.value.codex.version}`),
      ...wanted.value.notes.map((note) => healthLine(SECTION, "warn", note)),
    ];
  const isFetched = wanted.error.kind === "codex_missing" && canFetchPackages(pluginDir);
  return [
    isFetched
      ? healthLine(SECTION, "info", `the first message downloads ${DOWNLOAD}`)
      : failedLine(SECTION, wanted.error),
  ];
}

function runtimeLine({ name, release, args }: CheckedRuntime): string {
  const day = release === null ? "" : `, release ${release}`;
  return `runtime: ${name}${day} ${args.join(" ")}`.trimEnd();
}

async function hasImage(engine: Engine, name: string): Promise<boolean> {
  const found = await engine.docker
    .getImage(name)
    .inspect()
    .catch(() => undefined);
  return found !== undefined;
}

/** Lines about the image and its disk space; and the image, if it is built. */
async function imageLines(
  engine: Engine,
  options: ImageOptions,
): Promise<{ readonly lines: HealthLine[]; readonly image: SandboxImage | undefined }> {
  const lines = await spaceLines(engine, options);
  const found = await findImage(engine, options);
  if (!found.ok) return { lines: [...lines, failedLine(SECTION, found.error)], image: undefined };
  const image = found.value;
  if (image !== undefined)
    return { lines: [...lines, healthLine(SECTION, "ok", `image: ${image.tag}`)], image };
  const message = "the image is not built yet; the first message builds it, in a minute or two";
  lines.push(healthLine(SECTION, "info", message));
  const { image: named } = options;
  if (named !== undefined && !(await hasImage(engine, named)))
    lines.push(
      healthLine(
        SECTION,
        "warn",
        `the engine does not have the image ${named} (sandbox.image) yet`,
        [
          `docker pull ${named}`,
          "The first message does this as well. To use another one, set sandbox.image (see docker image ls).",
        ],
      ),
    );
  if (engine.dataRoot !== undefined)
    lines.push(...(await diskSpaceLines(SECTION, engine.dataRoot, ROOM_FOR_IMAGE_BYTES)));
  return { lines, image: undefined };
}

/** The engine, which limits it does not enforce, and whether it is rootless; or why there is none. */
function engineLines(found: Awaited<ReturnType<typeof findEngine>>): HealthLine[] {
  if (!found.ok) return [failedLine(SECTION, found.error)];
  const engine = found.value;
  const { product, version, host: address } = engine;
  const lines = [healthLine(SECTION, "ok", `engine: ${product} ${version} at ${address}`)];
  for (const message of limitNotes(engine))
    lines.push({
      section: SECTION,
      level: "warn",
      message,
      advice: engine.rootless
        ? ["See https://rootlesscontaine.rs/getting-started/common/cgroup2/"]
        : ["docker info lists the missing ones under Warnings."],
    });
  if (engine.rootless)
    lines.push({
      section: SECTION,
      level: "info",
      message: "the engine is rootless: root inside the sandbox is your own user outside",
      advice: [],
    });
  return lines;
}

/** Lines about the user's mounts: which are mounted, and why others are not. */
async function mountLines(settings: Settings, env: NodeJS.ProcessEnv): Promise<HealthLine[]> {
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

/** What the plugin stores on the engine, and what could be removed. */
async function spaceLines(engine: Engine, options: ImageOptions): Promise<HealthLine[]> {
  try {
    const old = await oldImages(engine, await imagesInUse(engine, options));
    const bytes = old.reduce((sum, image) => sum + image.bytes, 0);
    const volumes = await ourVolumes(engine);
    const lines: HealthLine[] = [];
    if (bytes >= MIN_REPORTED_BYTES)
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
    const message = `the plugin's images and caches cannot be listed: ${(cause as Error).message}`;
    return [{ section: SECTION, level: "warn", message, advice: [] }];
  }
}
