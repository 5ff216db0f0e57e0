import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";

const BLOCK_BYTES = 512;
/** The largest size that fits ustar's eleven octal digits. */
const MAX_FILE_BYTES = 8 ** 11 - 1;

/** A file of an archive: `name` within it (at most 100 bytes), and its content or where that is. */
export type TarEntry = {
  readonly name: string;
  readonly executable?: boolean;
} & (
  | { readonly content: string | Uint8Array }
  | { readonly path: string }
  /** An empty directory; its name ends with a slash. */
  | { readonly directory: true; readonly uid: number; readonly gid: number }
);

/**
 * Streams a ustar archive. Owners, times and modes are fixed, so that the same files give the
 * same bytes and the engine's build cache holds; files are read as the reader takes them.
 */
export function tarStream(entries: readonly TarEntry[]): Readable {
  return Readable.from(archive(entries), { objectMode: false });
}

async function* archive(entries: readonly TarEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    if ("directory" in entry) {
      yield header(entry, 0);
    } else if ("content" in entry) {
      const body = Buffer.from(entry.content);
      yield header(entry, body.length);
      yield body;
      yield padding(body.length);
    } else {
      const { size } = await stat(entry.path);
      yield header(entry, size);
      let sent = 0;
      const file = createReadStream(entry.path, {
        end: Math.max(0, size - 1),
        highWaterMark: 1 << 20,
      });
      for await (const chunk of file) {
        sent += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
      if (sent !== size) throw new Error(`${entry.path} changed while it was read`);
      yield padding(size);
    }
  }
  yield Buffer.alloc(2 * BLOCK_BYTES);
}

/** POSIX ustar: name, mode, uid, gid, size, mtime, checksum, type, magic; numbers in octal. */
function header(entry: TarEntry, size: number): Buffer {
  const name = Buffer.from(entry.name);
  if (name.length > 100) throw new RangeError(`too long for an archive: ${entry.name}`);
  if (size > MAX_FILE_BYTES) throw new RangeError(`too large for an archive: ${entry.name}`);
  const block = Buffer.alloc(BLOCK_BYTES);
  name.copy(block, 0);
  const directory = "directory" in entry ? entry : undefined;
  const isOpen = entry.executable === true || directory !== undefined;
  octal(block, isOpen ? 0o755 : 0o644, 100, 8);
  octal(block, directory?.uid ?? 0, 108, 8);
  octal(block, directory?.gid ?? 0, 116, 8);
  octal(block, size, 124, 12);
  octal(block, 0, 136, 12);
  block.fill(" ", 148, 156);
  block.write(directory === undefined ? "0" : "5", 156);
  block.write("ustar\x0000", 257);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${checksum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function octal(block: Buffer, value: number, offset: number, bytes: number): void {
  block.write(`${value.toString(8).padStart(bytes - 1, "0")}\0`, offset);
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}
