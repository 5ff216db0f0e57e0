import { join } from "node:path";
import { askGit } from "../../git.ts";
import { readPlainFile, realPathOf } from "../../look.ts";
import { findGit } from "../../sandbox/git/index.ts";

const MAX_BYTES = 1024 ** 2;

/** Rules outside of the project's files change rarely, and asking git for them costs a process. */
const KEPT_MS = 60_000;

/** Gives a project's rules (see `excludesOf`), and asks for them again once a minute. */
export function excludesReader(root: string, env: NodeJS.ProcessEnv): () => Promise<string> {
  let known: Promise<string> | undefined;
  let askedMs = 0;
  return () => {
    const nowMs = performance.now();
    if (known === undefined || nowMs - askedMs > KEPT_MS) {
      known = excludesOf(root, env);
      askedMs = nowMs;
    }
    return known;
  };
}

/**
 * The ignore rules of the project that are not in its `.gitignore` files: those of its repository, and
 * the user's own for all repositories. Rules that cannot be read hide nothing.
 */
async function excludesOf(root: string, env: NodeJS.ProcessEnv): Promise<string> {
  const [own, global] = await Promise.all([repositoryRules(root), userRules(root, env)]);
  // Of two rules the later one counts, and the repository's outrank the user's.
  return `${global}\n${own}\n`;
}

async function repositoryRules(root: string): Promise<string> {
  const place = await findGit(root).catch(() => undefined);
  if (place === undefined || typeof place === "string") return "";
  return textOf(join(place.commonDir, "info/exclude"));
}

async function userRules(root: string, env: NodeJS.ProcessEnv): Promise<string> {
  const home = env["HOME"];
  const asked = await askGit({
    dir: root,
    command: "config",
    args: ["--show-scope", "--path", "--get", "core.excludesFile"],
    env,
  });
  // SECURITY: the project's own settings do not count: they could name any file of the user's.
  const [, named] = asked.ok ? (/^(?:global|system)\t(.+)$/m.exec(asked.value) ?? []) : [];
  const config = env["XDG_CONFIG_HOME"] || (home === undefined ? undefined : `${home}/.config`);
  const path = named ?? (config === undefined ? undefined : join(config, "git/ignore"));
  return path === undefined ? "" : textOf(path);
}

async function textOf(path: string): Promise<string> {
  // The user's file may be a link to where such files are kept.
  const real = await realPathOf(path).catch(() => undefined);
  if (real === undefined) return "";
  const content = await readPlainFile(real, MAX_BYTES).catch(() => undefined);
  return content?.toString("utf8") ?? "";
}
