import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { type ActionResult, actions } from "../../nvim/index.ts";

type Comments = ActionResult<"comments/list">;

/** A conversation's comments on files, until they are sent. */
export class CommentStore {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = join(dir, "comments");
  }

  async list(thread: string): Promise<Comments> {
    const text = await readFile(this.#path(thread), "utf8").catch(() => "[]");
    const parsed = Stored.safeParse(text);
    return parsed.success ? parsed.data : [];
  }

  async set(thread: string, comments: Comments): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await writePrivate(this.#path(thread), JSON.stringify(comments));
  }

  /** SECURITY: Codex chooses the thread's id. */
  #path(thread: string): string {
    return join(
      this.#dir,
      `${createHash("sha256").update(thread).digest("hex").slice(0, 32)}.json`,
    );
  }
}

const Stored = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue("not JSON");
      return z.NEVER;
    }
  })
  .pipe(actions["comments/list"].result);
