import { readFile } from "node:fs/promises";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";

/** A conversation that commits have come from. */
const Chat = z.object({
  /** Its ref is `refs/codex/<name>`. */
  name: z.string(),
  /** Where the real HEAD stood when its first commits came. */
  since: z.string().nullable(),
});

/** The host's record of a project's private git directory; the agent cannot reach it. */
const GitRecord = z.object({
  /** Which repository it was made for. */
  repository: z.string(),
  /** The state of both sides when they were last the same; HEAD in the format of its file. */
  head: z.string().nullable().default(null),
  refs: z.record(z.string(), z.string()).default({}),
  /** Hashes of the files that the host wrote. */
  files: z.record(z.string(), z.string()).default({}),
  indexSignature: z.string().default(""),
  /** By thread id. */
  chats: z.record(z.string(), Chat).default({}),
  /** Tips that were handled; those that were exported are also in refs. */
  seen: z.array(z.string()).default([]),
});
export type GitRecord = z.infer<typeof GitRecord>;

/** How many tips are remembered. */
const MAX_SEEN = 500;

/** Reads the record; an unreadable one counts as none, and the sides are then compared again. */
export async function readRecord(path: string, repository: string): Promise<GitRecord> {
  try {
    return GitRecord.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return GitRecord.parse({ repository });
  }
}

/** Writes the record atomically. */
export async function writeRecord(path: string, record: GitRecord): Promise<void> {
  const seen = record.seen.slice(-MAX_SEEN);
  await writePrivate(path, JSON.stringify({ ...record, seen }));
}
