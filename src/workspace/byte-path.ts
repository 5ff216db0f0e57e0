/**
 * Paths and names of any bytes: each character of such a string is one byte (latin1), so that a name
 * that is not valid UTF-8 is one name and no other.
 */

/** The bytes of a path. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

/** The path as one character for each byte, from an ordinary string. */
export function bytePath(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** A path as text for a person. SECURITY: the agent may have chosen it. */
export function shownPath(path: string): string {
  return bytesOf(path).toString("utf8");
}

/** Joins two paths, either of which may be the project's top, "". */
export function joined(path: string, name: string): string {
  return path === "" ? name : name === "" ? path : `${path}/${name}`;
}

/** The directory of a path; "" for a path at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Whether a path lies in one of these, or is one of them. */
export function isBelow(path: string, dirs: ReadonlySet<string>): boolean {
  if (dirs.size === 0) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1))
    if (dirs.has(path.slice(0, end))) return true;
  return dirs.has("");
}
