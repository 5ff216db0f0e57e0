import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { silentLog } from "../log.ts";
import { ownHomes, ownUser } from "../own-user.ts";
import { checkRuntime, findEngine, findImage, selfTest } from "../sandbox/index.ts";
import { gitVersion, isNewEnough, OLDEST_GIT } from "../workspace/index.ts";
import { Account } from "./account.ts";
import { openCredential, warningOf } from "./credential.ts";
import type { Failure } from "./failure.ts";
import { networkLines } from "./health-network.ts";
import { engineLines, mountLines, spaceLines } from "./health-sandbox.ts";
import { KeyRing } from "./key-command.ts";
import { imageOptions } from "./prove.ts";
import { Settings } from "./settings.ts";

/** A line of `:checkhealth codex-chat`. */
export type HealthLine = {
  readonly section: string;
  readonly level: "ok" | "info" | "warn" | "error";
  readonly message: string;
  readonly advice: readonly string[];
};

/**
 * Looks at everything that a turn needs, in the order in which a turn needs it, without starting
 * one: of what depends on a part that fails, nothing more is said than that.
 */
export async function checkHealth(
  input: unknown,
  env: NodeJS.ProcessEnv,
  root = process.cwd(),
): Promise<HealthLine[]> {
  const settings = Settings.safeParse(input);
  if (!settings.success)
    return settings.error.issues.map((issue) =>
      line("Configuration", "error", `${issue.path.join(".")}: ${issue.message}`, [
        "See :help codex-chat-config",
      ]),
    );
  return [
    await checkState(settings.data, env),
    await checkKey(settings.data, env),
    ...networkLines(settings.data, env),
    await checkGit(settings.data, env),
    ...(await checkSandbox(settings.data, env, root)),
  ];
}

async function checkState(
  { state_dir: dir }: Settings,
  env: NodeJS.ProcessEnv,
): Promise<HealthLine> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.W_OK);
    return line("State", "ok", `conversations are kept in ${dir}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return line("State", "error", `${dir} cannot be written: ${reason}`, [
      `chmod u+rwx ${dir}, or set state_dir to a directory of yours (home: ${ownHomes(env)[0] ?? "unknown, HOME is not set"})`,
    ]);
  }
}

async function checkGit({ git }: Settings, env: NodeJS.ProcessEnv): Promise<HealthLine> {
  if (git === "off")
    return line("Git", "info", 'git = "off": the real .git is read-only in the sandbox');
  const version = await gitVersion(env);
  if (version !== undefined && isNewEnough(version))
    return line("Git", "ok", `git ${version}: the agent commits in a directory of its own`);
  const found = version === undefined ? "git is not installed" : `git is ${version}`;
  return line("Git", "warn", `${found}; the agent can commit with ${OLDEST_GIT} or newer only`, [
    "Install a newer git; until then the real .git is read-only in the sandbox.",
  ]);
}

async function checkKey(settings: Settings, env: NodeJS.ProcessEnv): Promise<HealthLine> {
  const account = new Account({ stateDir: settings.state_dir, env, log: silentLog });
  const found = await openCredential({ settings, env, keys: new KeyRing(), account });
  if (!found.ok) return failed("Model", found.error);
  const warning = warningOf(found.value);
  if (warning !== undefined)
    return line("Model", "warn", warning, ["Use https, or an endpoint on this machine."]);
  const { endpoint, source } = found.value;
  const with_ =
    source === "no key" ? "without a key" : `with the ${source}, which stays on the host`;
  const unproven = settings.auth === "login" ? " (never tried with the real service)" : "";
  return line("Model", "ok", `${endpoint.url.host} is called ${with_}${unproven}`);
}

async function checkSandbox(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  root: string,
): Promise<HealthLine[]> {
  const lines: HealthLine[] = [];
  const { engine: host, runtime: name } = settings.sandbox;
  const engine = await findEngine({ env, ...(host === undefined ? {} : { host }) });
  if (!engine.ok) return [failed("Sandbox", engine.error)];
  const { product, version, host: address } = engine.value;
  lines.push(line("Sandbox", "ok", `engine: ${product} ${version} at ${address}`));
  lines.push(...engineLines(engine.value), ...(await mountLines(settings, env)));

  const runtime = await checkRuntime(engine.value, { runtime: name });
  if (!runtime.ok) return [...lines, failed("Sandbox", runtime.error)];
  const release = runtime.value.release === null ? "" : `, release ${runtime.value.release}`;
  const args = runtime.value.args.join(" ");
  lines.push(line("Sandbox", "ok", `runtime: ${name}${release} ${args}`.trimEnd()));

  const wanted = await imageOptions(settings, root);
  if (!wanted.ok) return [...lines, failed("Sandbox", wanted.error)];
  const { notes, ...recipe } = wanted.value;
  lines.push(line("Sandbox", "ok", `Codex ${recipe.codex.version}`));
  lines.push(...notes.map((note) => line("Sandbox", "warn", note)));

  lines.push(...(await spaceLines(engine.value, recipe)));
  const image = await findImage(engine.value, recipe);
  if (!image.ok) return [...lines, failed("Sandbox", image.error)];
  if (image.value === undefined) {
    const message = "the image is not built yet; the first message builds it, in a minute or two";
    return [...lines, line("Sandbox", "info", message)];
  }
  lines.push(line("Sandbox", "ok", `image: ${image.value.tag}`));

  const { uid, gid } = ownUser();
  const report = await selfTest(engine.value, {
    runtime: runtime.value,
    image: image.value,
    cacheDir: join(settings.state_dir, "self-test"),
    uid,
    gid,
    acceptWeaker: name !== "runsc",
    fresh: true,
  });
  if (!report.ok) return [...lines, failed("Sandbox", report.error)];
  const { gvisor, kernel, checks } = report.value;
  const proof = `self-test: kernel ${kernel}, ${checks.length} attempts to break out did no harm`;
  return [
    ...lines,
    gvisor
      ? line("Sandbox", "ok", proof)
      : line("Sandbox", "warn", `${proof}, but ${name} is no gVisor: it is weaker`),
  ];
}

function line(
  section: string,
  level: HealthLine["level"],
  message: string,
  advice: readonly string[] = [],
): HealthLine {
  return { section, level, message, advice };
}

function failed(section: string, failure: Failure): HealthLine {
  return line(section, "error", failure.message, failure.mend?.split("\n") ?? []);
}
