import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { CodexClient, CodexError } from "../../codex/index.ts";
import type { Log } from "../../log.ts";
import { ok, type Result } from "../../result.ts";
import { THREAD_ID } from "../../threads/index.ts";

/** How many notes are processed per start. */
const MAX_NOTES = 1000;

/**
 * Deletes a thread in Codex, even an archived one; succeeds if Codex does not know it. Errors:
 * `refused` while a fork needs the thread (0.169).
 */
export async function forgetThread(
  client: CodexClient,
  threadId: string,
): Promise<Result<void, CodexError>> {
  const deleted = await client.request("thread/delete", { threadId });
  if (deleted.ok || deleted.error.kind !== "thread_unknown") return deleted;
  const found = await client.request("thread/unarchive", { threadId });
  if (!found.ok) return ok();
  return client.request("thread/delete", { threadId });
}

/**
 * Deletes the threads of conversations that were deleted while Codex was not running: the list leaves a
 * file named after each in `forget/` of the project's state directory. A refused one is tried again
 * at the next start.
 */
export async function forgetDeleted(
  client: CodexClient,
  projectDir: string,
  log: Log,
): Promise<void> {
  const dir = join(projectDir, "forget");
  const names = await readdir(dir).catch((): string[] => []);
  for (const name of names.filter((entry) => THREAD_ID.test(entry)).slice(0, MAX_NOTES)) {
    const forgotten = await forgetThread(client, name);
    if (forgotten.ok) await rm(join(dir, name), { force: true });
    else log.info({ error: forgotten.error, thread: name }, "a thread was not deleted yet");
  }
}
