import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ShadowRepository } from "../../workspace/checkpoints/index.ts";

/**
 * Recorded contents as files, for the editor to show. They are named by their content alone:
 * SECURITY: a name of the agent's could make an editor do something.
 */
export class Versions {
  readonly #dir: string;
  readonly #shadow: () => Promise<ShadowRepository>;

  constructor(dir: string, shadow: () => Promise<ShadowRepository>) {
    this.#dir = join(dir, "versions");
    this.#shadow = shadow;
  }

  /** Paths of these contents, by their names; one that is not on record is absent. */
  async put(oids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const read = await (await this.#shadow()).read(oids);
    const paths = new Map<string, string>();
    if (!read.ok) return paths;
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    for (const [oid, content] of read.value) {
      const path = join(this.#dir, oid);
      const draft = `${path}.${process.pid}`;
      await writeFile(draft, content, { mode: 0o400 });
      await rename(draft, path);
      paths.set(oid, path);
    }
    return paths;
  }
}
