import { mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { inspect } from "node:util";
import { type Log, silentLog } from "../log.ts";

/** A larger log is renamed to `<path>.old` at the next start. */
const MAX_BYTES = 5 * 1024 ** 2;

/** The numbers that pino, bunyan and their viewers give to the levels. */
const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;
type Level = keyof typeof LEVELS;

/**
 * Opens the log file, JSON lines that several hosts may append to. Stdout is the editor's and
 * stderr is shown to the user, so there is no other place; where it cannot be opened or written,
 * nothing is logged, since a full disk must not end the conversation.
 *
 * Each line is written before the call returns, so a crash loses none.
 *
 * @param level the lowest level that is logged; any word that is not a level logs nothing
 */
export function openLog(path: string | undefined, level = "info"): Log {
  if (path === undefined || !isLevel(level)) return silentLog;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    setAside(path);
    return logTo(openSync(path, "a", 0o600), LEVELS[level]);
  } catch {
    return silentLog;
  }
}

function isLevel(word: string): word is Level {
  return Object.hasOwn(LEVELS, word);
}

/** Logs to an open file, which stays open as long as the process runs. */
function logTo(file: number, lowest: number): Log {
  const at = (level: Level) => (data: object, message: string) => {
    if (LEVELS[level] < lowest) return;
    try {
      writeSync(file, `${withoutSecrets(lineOf(LEVELS[level], data, message))}\n`);
    } catch {
      // The disk is full. The next line may fit again.
    }
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function lineOf(level: number, data: object, message: string): string {
  const head = { level, time: Date.now(), pid: process.pid };
  const fields = data instanceof Error ? { err: data } : data;
  try {
    return JSON.stringify({ ...head, ...fields, msg: message }, plain);
  } catch {
    // A circle, or a getter that throws.
    return JSON.stringify({ ...head, data: inspect(fields), msg: message });
  }
}

/** What `JSON.stringify` would leave empty or refuse: errors and big integers. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { ...value, type: name, message, stack, cause };
}

/** Fields that are named like one, and what looks like one: a key, a token, a bearer's header. */
const NAMED =
  /("(?:[\w-]*(?:authorization|password|passwd|secret|api[_-]?key|access[_-]?token|refresh[_-]?token|id[_-]?token|cookie))"\s*:\s*)"(?:[^"\\]|\\.)*"/gi;
const SHAPED =
  /\b(?:sk-[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?|(?:Bearer|Basic) [\w.~+/=-]{8,})/g;

/**
 * Redacts secrets in a line of the log.
 *
 * SECURITY: no secret is logged on purpose. This is for library errors that quote their input, and
 * for output of a program inside to which somebody gave a key.
 */
export function withoutSecrets(line: string): string {
  return line.replace(NAMED, '$1"[redacted]"').replace(SHAPED, "[redacted]");
}

function setAside(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_BYTES) renameSync(path, `${path}.old`);
}
