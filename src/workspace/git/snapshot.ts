import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ownHomes } from "../../own-user.ts";
import { err, ok, type Result } from "../../result.ts";
import { NoFollowDir } from "./no-follow.ts";
import { HOST_ATTRIBUTES, HOST_EXCLUDES, privateConfig } from "./private-config.ts";
import { type Head, isOid, type Oid, readRefs } from "./refs.ts";
import { namedFile, type Repository, readSmall } from "./repository.ts";
import { quoted, Workshop } from "./workshop.ts";

/** The real repository as it is now, as far as the private side follows it. */
export type Snapshot = {
  readonly head: Head | undefined;
  readonly refs: ReadonlyMap<string, Oid>;
  /** Files of the private git directory that are written from here, by path in it. */
  readonly files: ReadonlyMap<string, string>;
  /** Differs when the index or what is being merged is another. */
  readonly indexSignature: string;
};

/** What the private side sees of the branches and tags of the real one. */
const SHOWN = /^refs\/(?:heads|tags|remotes|notes)\//;

/** Beside the index: what git status tells of a merge or a pick that is not finished. */
export const INDEX_COMPANIONS = [
  "MERGE_HEAD",
  "MERGE_MSG",
  "MERGE_MODE",
  "CHERRY_PICK_HEAD",
  "REVERT_HEAD",
] as const;

const MAX_FILE_BYTES = 1024 ** 2;
/** 500,000 files have an index of some 50 MB. */
const MAX_INDEX_BYTES = 128 * 1024 ** 2;

/** Where the private git directory and the borrowed objects are inside. */
export type InsidePaths = {
  readonly gitDir: string;
  /** One a directory of `Repository.objects`. */
  readonly objects: readonly string[];
};

/** Looks at the real repository, running nothing. */
export async function takeSnapshot(
  repository: Repository,
  inside: InsidePaths,
  env: NodeJS.ProcessEnv,
): Promise<Snapshot> {
  const { gitDir, commonDir } = repository;
  const { head, refs } = await readRefs(gitDir, commonDir);
  await using own = await NoFollowDir.open(gitDir);
  const signatures = await Promise.all(
    ["index", ...INDEX_COMPANIONS].map((name) => own?.signature(name)),
  );
  return {
    head,
    refs: new Map([...refs].filter(([name]) => SHOWN.test(name))),
    files: await filesOf(repository, inside, env),
    indexSignature: signatures.join(" "),
  };
}

async function filesOf(
  repository: Repository,
  inside: InsidePaths,
  env: NodeJS.ProcessEnv,
): Promise<ReadonlyMap<string, string>> {
  const { gitDir, commonDir, config, shallow } = repository;
  const home = ownHomes(env)[0];
  const configDir =
    env["XDG_CONFIG_HOME"] || (home === undefined ? undefined : join(home, ".config"));
  const named = async (key: string, fallback: string) => {
    const own = configDir === undefined ? undefined : join(configDir, "git", fallback);
    const path = namedFile(config, key) ?? own;
    // Of a home that is not known nothing is read, as git does it.
    if (path === undefined || (home === undefined && path.startsWith("~"))) return undefined;
    return readSmall(path.replace(/^~(?=\/)/, home ?? ""), MAX_FILE_BYTES);
  };
  const files: [string, string | undefined][] = [
    ["config", privateConfig(repository, inside)],
    ["objects/info/alternates", inside.objects.map((it) => `${quoted(it)}\n`).join("")],
    ["info/exclude", await readSmall(join(commonDir, "info/exclude"), MAX_FILE_BYTES)],
    ["info/attributes", await readSmall(join(commonDir, "info/attributes"), MAX_FILE_BYTES)],
    ["info/sparse-checkout", await readSmall(join(gitDir, "info/sparse-checkout"), MAX_FILE_BYTES)],
    [HOST_EXCLUDES, await named("core.excludesfile", "ignore")],
    [HOST_ATTRIBUTES, await named("core.attributesfile", "attributes")],
    ["shallow", shallow === undefined ? undefined : shallowLines(shallow)],
  ];
  return new Map(files.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));
}

function shallowLines(text: string): string {
  return text
    .split("\n")
    .filter(isOid)
    .map((it) => `${it}\n`)
    .join("");
}

/**
 * The index as one file, with what belongs to it; a file that is absent is undefined.
 *
 * Errors: a sentence, where it is too large or cannot be read.
 */
export async function readIndex(
  repository: Repository,
  scratch: string,
): Promise<Result<ReadonlyMap<string, Buffer | undefined>, string>> {
  await using own = await NoFollowDir.open(repository.gitDir);
  const files = new Map<string, Buffer | undefined>();
  for (const name of INDEX_COMPANIONS) files.set(name, await own?.read(name, MAX_FILE_BYTES));
  if ((await own?.signature("index")) === "") return ok(files.set("index", undefined));
  const index = (await isSplit(repository))
    ? await joined(repository, scratch)
    : await own?.read("index", MAX_INDEX_BYTES);
  if (index === undefined)
    return err(`its index is larger than ${MAX_INDEX_BYTES / 1024 ** 2} MiB`);
  return ok(files.set("index", index));
}

async function isSplit({ gitDir }: Repository): Promise<boolean> {
  return (await readdir(gitDir)).some((name) => name.startsWith("sharedindex."));
}

/** Has git join the parts of a split index, in a workshop. */
async function joined(repository: Repository, scratch: string): Promise<Buffer | undefined> {
  const { gitDir, objects, format } = repository;
  await using workshop = await Workshop.make({ parent: scratch, objects: objects[0], format });
  await using own = await NoFollowDir.open(gitDir);
  for (const name of await readdir(gitDir)) {
    if (name !== "index" && !/^sharedindex\.[0-9a-f]+$/.test(name)) continue;
    const part = await own?.read(name, MAX_INDEX_BYTES);
    if (part !== undefined) await workshop.put(name, part);
  }
  const whole = await workshop.run({
    args: ["--work-tree=.", "-c", "core.bare=false", "update-index", "--no-split-index"],
  });
  return whole.ok ? await readFile(join(workshop.dir, "index")) : undefined;
}
