import { homedir } from "node:os";

/** The path as the user writes it. */
export function shortPath(path: string): string {
  const home = process.env["HOME"] ?? homedir();
  return home.length > 1 && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** An error of the file system, about the path that was meant and not the one by descriptor. */
export function messageOf(cause: unknown, path: string): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (!text.includes("/proc/self/fd/")) return text;
  const [, words = text] = /^[A-Z]+: ([^,]+),/.exec(text) ?? [];
  return `${path}: ${words}`;
}
