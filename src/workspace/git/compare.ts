import { createHash } from "node:crypto";
import type { GitRecord } from "./record.ts";
import type { Base } from "./ref-sync.ts";
import { type Head, isOid, type Oid } from "./refs.ts";

/** The state of both sides when they were last the same. */
export function baseOf({ head, refs }: GitRecord): Base {
  return { head: parseHead(head), refs: new Map(Object.entries(refs)) };
}

/**
 * All commits that the refs and HEAD are at. A commit that both sides had belongs to the user, even if
 * the user has amended it since.
 */
export function tipsOf({ head, refs }: Base): readonly Oid[] {
  return [...refs.values(), ...(head !== undefined && "oid" in head ? [head.oid] : [])];
}

function parseHead(text: string | null): Head | undefined {
  if (text === null) return undefined;
  const line = text.trim();
  return isOid(line) ? { oid: line } : { branch: line.replace(/^ref: /, "") };
}

/** Whether both have the same refs at the same commits. */
export function isSameRefs(a: ReadonlyMap<string, Oid>, b: ReadonlyMap<string, Oid>): boolean {
  return a.size === b.size && [...a].every(([name, oid]) => b.get(name) === oid);
}

/** The files that differ from those written last; undefined for a file that is gone. */
export function changedFiles(
  then: Readonly<Record<string, string>>,
  now: ReadonlyMap<string, string>,
): Map<string, string | undefined> {
  const changed = new Map<string, string | undefined>();
  for (const [name, text] of now) if (then[name] !== hash(text)) changed.set(name, text);
  for (const name of Object.keys(then)) if (!now.has(name)) changed.set(name, undefined);
  return changed;
}

/** The hashes of files for the record. */
export function hashes(files: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, text]) => [name, hash(text)]));
}

/** A short name of a text, the same for the same text. */
export function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Refs in the format of `packed-refs`. */
export function packedRefs(refs: ReadonlyMap<string, Oid>): string {
  return [...refs].map(([name, oid]) => `${oid} ${name}\n`).join("");
}
