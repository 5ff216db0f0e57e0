import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { entriesOf, lookOutside, readPlainFile, readSmallFile, statsAt } from "../../look.ts";
import { ownHomes } from "../../own-user.ts";
import { err, ok, type Result } from "../../result.ts";
import { type Head, isOid, type Oid, readRefs } from "./refs.ts";
import {
  HOST_ATTRIBUTES,
  HOST_EXCLUDES,
  NoFollowDir,
  namedFile,
  privateConfig,
  quotedAlternate,
  type Repository,
  ScratchRepository,
} from "./repository/index.ts";

/** The real repository as it is now, as far as the private side follows it. */
export type RepositorySnapshot = {
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
const INDEX_COMPANIONS = [
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

/** Looks at the real repository, running nothing. Rejects with `LookError`. */
export async function snapshotRepository(
  repository: Repository,
  inside: InsidePaths,
  env: NodeJS.ProcessEnv,
): Promise<RepositorySnapshot> {
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
    return lookOutside(readSmallFile(path.replace(/^~(?=\/)/, home ?? ""), MAX_FILE_BYTES));
  };
  // These two protect nothing, and people link them; a link of the agent's is not followed.
  const own = (name: string) => readSmallFile(join(commonDir, name), MAX_FILE_BYTES);
  // Which files are checked out: without it the rest would look deleted.
  const sparse = await readPlainFile(join(gitDir, "info/sparse-checkout"), MAX_FILE_BYTES);
  const files: [string, string | undefined][] = [
    ["config", privateConfig(repository, inside)],
    ["objects/info/alternates", inside.objects.map((it) => `${quotedAlternate(it)}\n`).join("")],
    ["info/exclude", await own("info/exclude")],
    ["info/attributes", await own("info/attributes")],
    ["info/sparse-checkout", sparse?.toString("utf8")],
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
 * Errors: a sentence, where git cannot join its parts. Rejects with `LookError` where a part of it is
 * too large or cannot be read.
 */
export async function readIndex(
  repository: Repository,
  scratchDir: string,
): Promise<Result<ReadonlyMap<string, Buffer | undefined>, string>> {
  const { gitDir } = repository;
  await using own = await NoFollowDir.openPlain(gitDir);
  const read = (name: string, maxBytes: number) =>
    own?.readPlain(name, maxBytes, join(gitDir, name)) ?? Promise.resolve(undefined);
  const files = new Map<string, Buffer | undefined>();
  for (const name of INDEX_COMPANIONS) files.set(name, await read(name, MAX_FILE_BYTES));
  if ((await statsAt(join(gitDir, "index"))) === undefined)
    return ok(files.set("index", undefined));
  const index = (await isSplit(repository))
    ? await joined(repository, scratchDir)
    : ok(await read("index", MAX_INDEX_BYTES));
  return index.ok ? ok(files.set("index", index.value)) : index;
}

async function isSplit({ gitDir }: Repository): Promise<boolean> {
  return ((await entriesOf(gitDir)) ?? []).some(({ name }) => name.startsWith("sharedindex."));
}

/** Has git join the parts of a split index, in a scratch repository. */
async function joined(repository: Repository, scratchDir: string): Promise<Result<Buffer, string>> {
  const { gitDir, objects, format } = repository;
  await using scratch = await ScratchRepository.make({
    parent: scratchDir,
    objects: objects[0],
    format,
  });
  await using own = await NoFollowDir.openPlain(gitDir);
  for (const name of await readdir(gitDir)) {
    if (name !== "index" && !/^sharedindex\.[0-9a-f]+$/.test(name)) continue;
    const part = await own?.readPlain(name, MAX_INDEX_BYTES, join(gitDir, name));
    if (part !== undefined) await scratch.put(name, part);
  }
  const whole = await scratch.run({
    args: ["--work-tree=.", "-c", "core.bare=false", "update-index", "--no-split-index"],
  });
  if (!whole.ok) return err(`git cannot join the parts of its index (${whole.error.message})`);
  return ok(await readFile(join(scratch.dir, "index")));
}
