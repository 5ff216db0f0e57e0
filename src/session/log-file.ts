import { mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import pino from "pino";
import { type Log, silentLog } from "../log.ts";

/** A log that has grown beyond this is set aside as `<path>.old` at the next start. */
const MAX_BYTES = 5 * 1024 ** 2;

/**
 * Opens the log file, JSON lines that several hosts may append to. Stdout is the editor's and
 * stderr is shown to the user, so there is no other place; where it cannot be opened, nothing is
 * logged, since a full disk must not end the conversation.
 */
export function openLog(path: string | undefined, level = "info"): Log {
  if (path === undefined) return silentLog;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    setAside(path);
    const destination = pino.destination({ dest: path, append: true, sync: true, mode: 0o600 });
    destination.on("error", () => {});
    const hooks = { streamWrite: withoutSecrets };
    return pino({ level, base: { pid: process.pid }, hooks }, destination);
  } catch {
    return silentLog;
  }
}

/** Fields that are named like one, and what looks like one: a key, a token, a bearer's header. */
const NAMED =
  /("(?:[\w-]*(?:authorization|password|passwd|secret|api[_-]?key|access[_-]?token|refresh[_-]?token|id[_-]?token|cookie))"\s*:\s*)"(?:[^"\\]|\\.)*"/gi;
const SHAPED =
  /\b(?:sk-[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?|(?:Bearer|Basic) [\w.~+/=-]{8,})/g;

/**
 * Takes secrets out of a line of the log.
 *
 * SECURITY: nothing logs one on purpose; this is for the error of a library that quotes what it was
 * given, and for what a program inside prints that somebody gave a key.
 */
export function withoutSecrets(line: string): string {
  return line.replace(NAMED, '$1"[redacted]"').replace(SHAPED, "[redacted]");
}

function setAside(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_BYTES) renameSync(path, `${path}.old`);
}
