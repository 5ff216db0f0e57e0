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

/** The state of the real repository that the private side follows. */
export type RepositorySnapshot = {
  readonly head: Head | undefined;
  readonly refs: ReadonlyMap<string, Oid>;
  /** Files that the host writes to the private git directory, by path in it. */
  readonly files: ReadonlyMap<string, string>;
  /** Changes with the index and with a merge that is not finished. */
  readonly indexSignature: string;
};

/** The refs of the real side that the private side gets. */
const SHOWN = /^refs\/(?:heads|tags|remotes|notes)\//;

/** Files about an unfinished merge or cherry-pick, which `git status` reports. */
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
  /** One for each directory of `Repository.objects`. */
  readonly objects: readonly string[];
};

/** Reads the real repository without running anything. Rejects with `LookError`. */
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
    // Without a home directory nothing is read, as with git.
    if (path === undefined || (home === undefined && path.startsWith("~"))) return undefined;
    return lookOutside(readSmallFile(path.replace(/^~(?=\/)/, home ?? ""), MAX_FILE_BYTES));
  };
  // These two protect nothing, so one that is a link is ignored and not an error.
  const own = (name: string) => readSmallFile(join(commonDir, name), MAX_FILE_BYTES);
  // The list of files that are checked out: without it the others would look deleted.
  const sparse = await readPlainFile(join(gitDir, "info/sparse-checkout"), MAX_FILE_BYTES);
  const files: [string, string | undefined][] = [
    ["config", privateConfig(repository, inside)],
    ["objects/info/alternates", inside.objects.map((dir) => `${quotedAlternate(dir)}\n`).join("")],
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
    .map((oid) => `${oid}\n`)
    .join("");
}

/**
 * The index as one file, and its companions; undefined for a file that is absent.
 *
 * Errors: a sentence, if git cannot join a split index. Rejects with `LookError` if a part is too
 * large or cannot be read.
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
