import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { parseJson } from "../../parse-json.ts";
import type { StoredCheckpoint } from "./fast-import.ts";
import type { Scan, ScannedFile } from "./scanned.ts";
import { type FileKind, Manifest, Missed } from "./tree.ts";

/** The newest checkpoint of this host, and the scan that it was made from. */
export type CachedScan = {
  readonly stored: StoredCheckpoint;
  /** The name under which the repository keeps it. */
  readonly ref: string;
  readonly scan: Scan;
  readonly usual: Manifest["usual"];
  /** A hash of the ignore rules outside of the project. */
  readonly rules: string;
};

const NAME = "scan";
/** Words of text and numbers for each file. */
const WORDS = 4;
const NUMBERS = 6;

const Head = z.object({
  version: z.literal(1),
  commit: z.string(),
  tree: z.string(),
  ref: z.string(),
  rules: z.string(),
  usual: Manifest.shape.usual,
  /** Path, permissions, whether it is ignored. */
  dirs: z.array(z.tuple([z.string(), z.int().nullable(), z.boolean()])),
  emptyDirs: z.array(z.string()),
  missed: z.array(Missed),
  files: z.int(),
  hash: z.string(),
});

/** Keeps a scan for the next host, so that it need not read all files again. */
export async function saveScan(dir: string, cached: CachedScan): Promise<void> {
  const { stored, ref, scan, usual, rules } = cached;
  const words: string[] = [];
  const numbers = new Float64Array(scan.files.size * NUMBERS);
  let at = 0;
  for (const [path, { kind, oid, state, mode, isIgnored }] of scan.files) {
    words.push(path, kind, oid, isIgnored ? "1" : "");
    const { ino, size, mtimeMs, ctimeMs } = state ?? NEVER;
    numbers.set([mode, state?.mode ?? 0, ino, size, mtimeMs, ctimeMs], at);
    at += NUMBERS;
  }
  const body = Buffer.concat([
    Buffer.from(numbers.buffer),
    Buffer.from(words.join("\0"), "latin1"),
  ]);
  const { emptyDirs, missed, files } = scan;
  const dirs = [...scan.dirs].map(([path, { mode, isIgnored }]) => [path, mode ?? null, isIgnored]);
  const head = JSON.stringify({
    ...{ version: 1, ...stored, ref, rules, usual, dirs, emptyDirs, missed, files: files.size },
    hash: hashOf(body),
  });
  const path = join(dir, NAME);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, Buffer.concat([Buffer.from(`${head}\n`), body]), { mode: 0o600 });
  await rename(draft, path);
}

/** The state of a file that the next scan must read again: no file has such a ctime. */
const NEVER = { ino: 0, size: 0, mtimeMs: 0, ctimeMs: -1 };

/** The scan that was kept; undefined where there is none, or a damaged one. */
export async function loadScan(dir: string): Promise<CachedScan | undefined> {
  const bytes = await readFile(join(dir, NAME)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0x0a);
  const head = Head.safeParse(parseJson(bytes.toString("utf8", 0, end)));
  const body = bytes.subarray(end + 1);
  if (!head.success || head.data.hash !== hashOf(body)) return undefined;
  const { commit, tree, ref, rules, usual, emptyDirs, missed } = head.data;
  const start = head.data.files * NUMBERS * Float64Array.BYTES_PER_ELEMENT;
  // Copied: a Float64Array must begin at a multiple of eight.
  const numbers = new Float64Array(new Uint8Array(body.subarray(0, start)).buffer);
  const words = body.toString("latin1", start).split("\0");
  const files = new Map<string, ScannedFile>();
  for (let index = 0; index < head.data.files; index += 1) {
    const [path = "", kind, oid = "", ignored] = words.slice(index * WORDS, (index + 1) * WORDS);
    const [own = 0, mode = 0, ino = 0, size = 0, mtimeMs = 0, ctimeMs = 0] = numbers.subarray(
      index * NUMBERS,
      (index + 1) * NUMBERS,
    );
    files.set(path, {
      ...{ kind: kind as FileKind, oid, mode: own, isIgnored: ignored === "1" },
      state: ctimeMs === NEVER.ctimeMs ? undefined : { ino, size, mode, mtimeMs, ctimeMs },
    });
  }
  const dirs = head.data.dirs.map(
    ([path, mode, isIgnored]) => [path, { mode: mode ?? undefined, isIgnored }] as const,
  );
  return {
    ...{ stored: { commit, tree }, ref, rules, usual },
    scan: { files, dirs: new Map(dirs), emptyDirs, missed },
  };
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
