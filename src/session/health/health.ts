import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { gitVersion, isNewEnough, OLDEST_GIT } from "../../git.ts";
import { silentLog } from "../../log.ts";
import { quoteForShell } from "../../look.ts";
import { ownHomes } from "../../own-user.ts";
import { Account, KeyRing, openCredential, warningOf } from "../auth/index.ts";
import { judgeProject } from "../backend/index.ts";
import { Settings } from "../settings/index.ts";
import { diskSpaceLines } from "./health-disk.ts";
import { failedLine, type HealthLine, healthLine } from "./health-line.ts";
import { networkLines } from "./health-network.ts";
import { checkSandbox } from "./health-sandbox.ts";

/**
 * Checks everything that a turn needs, in that order, without starting one. It goes on after a
 * failure, so that the user sees everything that is to be done at once, and names the checks that a
 * failure made impossible.
 */
export async function checkHealth(
  input: unknown,
  env: NodeJS.ProcessEnv,
  root = process.cwd(),
): Promise<HealthLine[]> {
  const parsed = Settings.safeParse(input);
  const wrong = parsed.success ? [] : parsed.error.issues;
  const lines = wrong.map((issue) =>
    healthLine("Configuration", "error", `${issue.path.join(".")}: ${issue.message}`, [
      "See :help codex-chat-config",
    ]),
  );
  // Wrong settings are replaced by their defaults for the other checks.
  const broken = wrong.map(({ path }) => path.map(String));
  const settings = parsed.success ? parsed : Settings.safeParse(without(input, broken));
  if (!settings.success) return lines;
  const { data } = settings;
  lines.push(await checkProject(root, data, env), ...(await checkState(data, env)));
  if (broken.some(([key = ""]) => MODEL_KEYS.test(key)))
    lines.push(healthLine("Model", "info", "not checked until the configuration is correct"));
  else lines.push(await checkKey(data, env), ...(await keyFileLines(data)));
  lines.push(...networkLines(data, env), await checkGit(data, env));
  if (broken.some(([top, key = "engine"]) => top === "sandbox" && /^(engine|runtime)$/.test(key)))
    lines.push(healthLine("Sandbox", "info", "not checked until the configuration is correct"));
  else lines.push(...(await checkSandbox(data, env, root)));
  return lines;
}

/** The settings that decide which endpoint is called, and with which key. */
const MODEL_KEYS = /^(model|api_key|auth|login|network)/;

/** A copy of the input without the values at these paths. */
function without(input: unknown, paths: readonly (readonly string[])[]): unknown {
  if (!isRecord(input)) return {};
  const copy: Record<string, unknown> = { ...input };
  for (const [top = "", key] of paths) {
    const table = copy[top];
    if (key !== undefined && isRecord(table) && !Array.isArray(table))
      copy[top] = Object.fromEntries(Object.entries(table).filter(([name]) => name !== key));
    else delete copy[top];
  }
  return copy;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

async function checkProject(
  root: string,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<HealthLine> {
  const judged = await judgeProject(root, settings, env);
  if (judged.ok) return healthLine("Project", "ok", judged.value);
  return { ...failedLine("Project", judged.error), level: "warn" };
}

async function checkState(
  { state_dir: dir }: Settings,
  env: NodeJS.ProcessEnv,
): Promise<HealthLine[]> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.W_OK);
    return [
      healthLine("State", "ok", `conversations are kept in ${dir}`),
      ...(await diskSpaceLines("State", dir, ROOM_FOR_TEXT_BYTES)),
    ];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const home = ownHomes(env)[0] ?? "unknown, HOME is not set";
    return [
      healthLine("State", "error", `${dir} cannot be written: ${reason}`, [
        `chmod u+rwx ${quoteForShell(dir)}, or set state_dir to one of your own directories (home: ${home})`,
      ]),
    ];
  }
}

/** Enough for conversations, logs and the agent's git directory for a while. */
const ROOM_FOR_TEXT_BYTES = 100 * 1024 ** 2;

/** Warns of files named in api_key_cmd that other users can read. */
async function keyFileLines({ api_key_cmd: command = [] }: Settings): Promise<HealthLine[]> {
  const lines: HealthLine[] = [];
  for (const path of command.slice(1)) {
    const stats = isAbsolute(path) ? await stat(path).catch(() => undefined) : undefined;
    if (stats?.isFile() !== true || (stats.mode & 0o111) !== 0 || (stats.mode & 0o044) === 0)
      continue;
    lines.push(
      healthLine("Model", "warn", `${path}, which api_key_cmd names, can be read by other users`, [
        `chmod 600 ${quoteForShell(path)}`,
      ]),
    );
  }
  return lines;
}

async function checkGit({ git }: Settings, env: NodeJS.ProcessEnv): Promise<HealthLine> {
  if (git === "off")
    return healthLine("Git", "info", 'git = "off": the real .git is read-only in the sandbox');
  const version = await gitVersion(env);
  if (version.ok && isNewEnough(version.value))
    return healthLine(
      "Git",
      "ok",
      `git ${version.value}: the agent commits in a git directory of its own`,
    );
  const found = version.ok ? `git is ${version.value}` : version.error.message;
  return healthLine(
    "Git",
    "warn",
    `${found}; the agent can commit only with ${OLDEST_GIT} or newer`,
    ["Install a newer git; until then the real .git is read-only in the sandbox."],
  );
}

async function checkKey(settings: Settings, env: NodeJS.ProcessEnv): Promise<HealthLine> {
  const account = new Account({ stateDir: settings.state_dir, env, log: silentLog });
  const found = await openCredential({ settings, env, keys: new KeyRing(), account });
  if (!found.ok) return failedLine("Model", found.error);
  const warning = warningOf(found.value);
  if (warning !== undefined)
    return healthLine("Model", "warn", warning, ["Use https, or an endpoint on this machine."]);
  const { endpoint, source } = found.value;
  const with_ =
    source === "no key" ? "without a key" : `with the ${source}, which stays on the host`;
  const unproven = settings.auth === "login" ? " (never tried with the real service)" : "";
  return healthLine("Model", "ok", `${endpoint.url.host} is called ${with_}${unproven}`);
}
