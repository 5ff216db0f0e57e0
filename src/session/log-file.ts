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
    return pino({ level, base: { pid: process.pid } }, destination);
  } catch {
    return silentLog;
  }
}

function setAside(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_BYTES) renameSync(path, `${path}.old`);
}
