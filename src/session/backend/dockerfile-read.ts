import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { err, ok, type Result } from "../../result.ts";

/** A Dockerfile of more than this is none. */
const MAX_BYTES = 256 * 1024;
/** A line that is wider has a part that an editor does not show. */
const MAX_COLUMNS = 2000;
const NONBLOCKING = constants.O_RDONLY | constants.O_NONBLOCK;
/** Control characters but for the tab, letters without a shape, and spaces that are none. */
const HIDDEN = /(?![\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** What a directive at the top of a Dockerfile looks like; both change what the rest means. */
const DIRECTIVE = /^[\t ]*#[\t ]*(syntax|escape)[\t ]*=/i;

/** A file as it was read, and how many names it has. */
export type ReadFile = { readonly content: string; readonly links: number };

/**
 * Reads a file whole, from one descriptor. Errors: why it cannot be.
 *
 * SECURITY: the agent may have put a pipe or something endless in the file's place. What is no
 * UTF-8 is refused: two files could be read as the same text.
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
    if (cause instanceof TypeError) return err("it is no UTF-8 text");
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
 * What the builder reads otherwise than a person who looks at the text, if there is anything.
 *
 * SECURITY: only for what the agent may have written. A control character hides what stands before
 * or after it, a letter of another script names another host than it seems, and `# syntax=` has another
 * program, from the network, read the rest.
 */
export function unseenIn(content: string): string | undefined {
  const lines = content.replaceAll("\r\n", "\n").split("\n");
  for (const [n, line] of lines.entries()) {
    const at = `line ${n + 1}`;
    if (HIDDEN.test(line)) return `its ${at} has characters that are not shown`;
    if (!/^[\t ]*#/.test(line) && /[^\t -~]/.test(line))
      return `its ${at} has letters that look like others: only ASCII is read outside of comments`;
    if (line.length > MAX_COLUMNS) return `its ${at} has more than ${MAX_COLUMNS} characters`;
    const directive = DIRECTIVE.exec(line)?.[1];
    if (directive !== undefined)
      return `its ${at} is a "${directive.toLowerCase()}" directive, which changes how the rest is read`;
  }
  return undefined;
}
