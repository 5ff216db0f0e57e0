import { NoFollowDir } from "./repository/index.ts";

/** A commit's name: 40 hexadecimal digits, 64 in a repository of SHA-256. */
export type Oid = string;

/** HEAD: at a branch, which may be unborn, or at a commit. */
export type Head = { readonly branch: string } | { readonly oid: Oid };

/** The refs in a git directory's files. */
export type Refs = {
  /** Undefined if the file is missing or is not a HEAD. */
  readonly head: Head | undefined;
  /** By full name, such as `refs/heads/main`; symbolic ones are left out. */
  readonly refs: ReadonlyMap<string, Oid>;
  /** Whether there are more refs than were read. */
  readonly isCut: boolean;
  /** Whether git would accept it as a git directory. */
  readonly isWhole: boolean;
};

const MAX_REFS = 50_000;
const MAX_PACKED_BYTES = 16 * 1024 ** 2;
const MAX_NAME_BYTES = 400;
const MAX_DEPTH = 20;
/** The number of directory entries: empty directories cost as much as refs, and are not counted there. */
const MAX_ENTRIES = 4 * MAX_REFS;
const OID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Whether this is the full name of an object. */
export function isOid(text: string): boolean {
  return OID.test(text);
}

/**
 * Whether git accepts this as the full name of a ref (git-check-ref-format(1)). A little stricter: it
 * must be valid UTF-8 and not too long.
 */
export function isRefName(name: string): boolean {
  if (!name.startsWith("refs/") || Buffer.byteLength(name) > MAX_NAME_BYTES) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused.
  if (/[\x00-\x20\x7f~^:?*[\\\ufffd]|\.\.|@\{|\/\/|[/.]$/.test(name)) return false;
  return name.split("/").every((part) => !part.startsWith(".") && !part.endsWith(".lock"));
}

/** The paths of the real git directory, for messages; undefined for the agent's own. */
type Real = { readonly gitDir: string; readonly commonDir: string } | undefined;

/**
 * Reads HEAD and refs of a real repository from their files, without git and without following links.
 * A file that does not contain an object's name is ignored; sizes, depth and number are bounded.
 *
 * Rejects with `LookError` for a file that git may read and this cannot: too large, not a plain file,
 * or unreadable. A branch that was not seen would count as deleted.
 */
export async function readRefs(
  gitDir: string,
  commonDir = gitDir,
  maxEntries = MAX_ENTRIES,
): Promise<Refs> {
  await using own = await NoFollowDir.openPlain(gitDir);
  await using common = await NoFollowDir.openPlain(commonDir);
  return await readFrom(own, common, { gitDir, commonDir }, maxEntries);
}

/**
 * Like `readRefs`, for a directory that is reached by names below a directory of the host.
 *
 * SECURITY: the agent can write there. Anything that is not a plain ref in a plain file is ignored.
 */
export async function readRefsBelow(
  base: string,
  names: readonly string[],
  maxEntries = MAX_ENTRIES,
): Promise<Refs> {
  let dir = await NoFollowDir.open(base);
  for (const name of names) {
    await using outer = dir;
    dir = await outer?.dir(name);
  }
  await using own = dir;
  return await readFrom(own, own, undefined, maxEntries);
}

async function readFrom(
  own: NoFollowDir | undefined,
  common: NoFollowDir | undefined,
  real: Real,
  maxEntries: number,
): Promise<Refs> {
  const refs = new Map<string, Oid>();
  const head = headOf((await textOf(own, "HEAD", 4096, real?.gitDir)) ?? "");
  const packed = await textOf(common, "packed-refs", MAX_PACKED_BYTES, real?.commonDir);
  let isCut = !readPacked(packed ?? "", refs);
  await using top = await dirOf(common, "refs", real?.commonDir);
  const left = { entries: maxEntries };
  if (top !== undefined && !(await readLoose(top, "refs", refs, left, real?.commonDir)))
    isCut = true;
  await using objects = await dirOf(common, "objects", real?.commonDir);
  return {
    head,
    refs,
    isCut,
    isWhole: head !== undefined && top !== undefined && objects !== undefined,
  };
}

/** The text of a file; `at` is the path of its directory, if a failed look is an error. */
async function textOf(
  dir: NoFollowDir | undefined,
  name: string,
  maxBytes: number,
  at: string | undefined,
): Promise<string | undefined> {
  const bytes =
    at === undefined
      ? await dir?.read(name, maxBytes)
      : await dir?.readPlain(name, maxBytes, `${at}/${name}`);
  return bytes?.toString("utf8");
}

async function dirOf(
  dir: NoFollowDir | undefined,
  name: string,
  at: string | undefined,
): Promise<NoFollowDir | undefined> {
  return at === undefined ? await dir?.dir(name) : await dir?.plainDir(name, `${at}/${name}`);
}

/** The commit that HEAD is at; undefined on an unborn branch. */
export function headOid({ head, refs }: Pick<Refs, "head" | "refs">): Oid | undefined {
  if (head === undefined) return undefined;
  return "oid" in head ? head.oid : refs.get(head.branch);
}

/** HEAD as its file has it. */
export function headText(head: Head): string {
  return "oid" in head ? `${head.oid}\n` : `ref: ${head.branch}\n`;
}

function headOf(text: string): Head | undefined {
  const line = text.replace(/\n$/, "");
  if (isOid(line)) return { oid: line };
  const branch = /^ref: *(.*)$/.exec(line)?.[1];
  return branch !== undefined && isRefName(branch) ? { branch } : undefined;
}

/** Adds what `packed-refs` says; false where it says more than is read. */
function readPacked(text: string, refs: Map<string, Oid>): boolean {
  for (const line of text.split("\n")) {
    const [oid = "", name = "", ...more] = line.split(" ");
    // The rest are comments, and peeled tags, which begin with ^.
    if (more.length > 0 || !isOid(oid) || !isRefName(name)) continue;
    if (refs.size >= MAX_REFS) return false;
    refs.set(name, oid);
  }
  return true;
}

/** Adds what loose files say, which count for more; false where there are more than are read. */
async function readLoose(
  dir: NoFollowDir,
  path: string,
  refs: Map<string, Oid>,
  left: { entries: number },
  at: string | undefined,
  depth = 0,
): Promise<boolean> {
  const entries = depth > MAX_DEPTH ? undefined : await dir.list(Math.min(MAX_REFS, left.entries));
  if (entries === undefined) return false;
  left.entries -= entries.length;
  let isWhole = true;
  for (const { name, isDirectory } of entries) {
    const full = `${path}/${name}`;
    if (!isRefName(full)) continue;
    const place = at === undefined ? undefined : `${at}/${path}`;
    if (isDirectory) {
      await using inner = await dirOf(dir, name, place);
      if (inner !== undefined && !(await readLoose(inner, full, refs, left, at, depth + 1)))
        isWhole = false;
      continue;
    }
    const text = (await textOf(dir, name, 4096, place))?.replace(/\n$/, "");
    if (text === undefined || !isOid(text)) continue;
    if (refs.size >= MAX_REFS && !refs.has(full)) return false;
    refs.set(full, text);
  }
  return isWhole;
}
