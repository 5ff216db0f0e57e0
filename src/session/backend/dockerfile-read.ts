import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { err, ok, type Result } from "../../result.ts";

/** Larger than any real Dockerfile. */
const MAX_BYTES = 256 * 1024;
/** Editors do not show all of a longer line. */
const MAX_COLUMNS = 2000;
const NONBLOCKING = constants.O_RDONLY | constants.O_NONBLOCK;
/** Control characters except the tab, invisible characters, and spaces other than ASCII's. */
const HIDDEN = /(?![\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** The directives at the top of a Dockerfile that change what the rest means. */
const DIRECTIVE = /^[\t ]*#[\t ]*(syntax|escape)[\t ]*=/i;

/** A file's content, and how many hard links it has. */
export type ReadFile = { readonly content: string; readonly links: number };

/**
 * Reads a whole file from one descriptor. Error: why it cannot be read.
 *
 * SECURITY: the agent may have put a pipe or an endless file in its place. A file that is not valid
 * UTF-8 is refused, since two different files could decode to the same text.
 */
export async function readBounded(path: string): Promise<Result<ReadFile, string>> {
  try {
    await using file = await open(path, NONBLOCKING);
    const stats = await file.stat();
    if (!stats.isFile()) return err("it is not a file");
    if (stats.size > MAX_BYTES) return err("it is too large");
    const bytes = await readAll(file);
    if (bytes.length > MAX_BYTES) return err("it is too large");
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return ok({ content: decoder.decode(bytes), links: stats.nlink });
  } catch (cause) {
    if (cause instanceof TypeError) return err("it is not UTF-8 text");
    return err((cause as NodeJS.ErrnoException).code ?? String(cause));
  }
}

async function readAll(file: Awaited<ReturnType<typeof open>>): Promise<Buffer> {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  let size = 0;
  while (size < buffer.length) {
    const { bytesRead } = await file.read(buffer, size, buffer.length - size, size);
    if (bytesRead === 0) break;
    size += bytesRead;
  }
  return buffer.subarray(0, size);
}

/**
 * The first part of a Dockerfile that the builder reads differently from a person, if there is one.
 *
 * SECURITY: for files that the agent may have written. Control characters can hide text, letters of
 * another script can make a host's name look like another, and `# syntax=` makes the builder
 * download another program that reads the rest.
 */
export function unseenIn(content: string): string | undefined {
  const lines = content.replaceAll("\r\n", "\n").split("\n");
  for (const [n, line] of lines.entries()) {
    const at = `line ${n + 1}`;
    if (HIDDEN.test(line)) return `its ${at} has characters that are not shown`;
    if (!/^[\t ]*#/.test(line) && /[^\t -~]/.test(line))
      return `its ${at} has non-ASCII letters outside of comments, which can look like others`;
    if (line.length > MAX_COLUMNS) return `its ${at} has more than ${MAX_COLUMNS} characters`;
    const directive = DIRECTIVE.exec(line)?.[1];
    if (directive !== undefined)
      return `its ${at} is a "${directive.toLowerCase()}" directive, which changes how the rest is read`;
  }
  return undefined;
}
