import { createHash } from "node:crypto";
import { basename } from "node:path";
import { err, ok, type Result } from "../../result.ts";
import type { Oid } from "./refs.ts";
import { NoFollowDir } from "./repository/index.ts";

/** The refs in the real repository that lead to conversations' commits. */
export const CHAT_REFS = "refs/codex/";

const MAX_CHARS = 80;

/** The last part of a conversation's ref: its file's name without characters that a ref cannot have. */
export function chatName(path: string): string {
  return plain(basename(path).replace(/\.md$/, "")) || "chat";
}

/** The last part of the ref for a branch that the agent is not on. */
export function branchRefName(chat: string, branch: string): string {
  const name = plain(branch);
  // Different branches must not get the same ref, so a changed name gets a hash.
  const hash = createHash("sha256").update(branch).digest("hex").slice(0, 8);
  return `${chat}--${name === branch ? name : `${name}-${hash}`}`;
}

function plain(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .slice(0, MAX_CHARS)
    .replace(/(?:\.lock)+$/, "")
    .replace(/^[.-]+|[.-]+$/g, "");
}

/**
 * Sets `refs/codex/<name>` in the real repository as git does, with a lock file. Git itself is not
 * run, so none of the user's hooks runs, and no link is followed.
 */
export async function setChatRef(
  commonDir: string,
  name: string,
  oid: Oid,
): Promise<Result<void, string>> {
  await using common = await NoFollowDir.open(commonDir);
  await using refs = await common?.dir("refs");
  await using codex = await refs?.makeDir("codex");
  if (codex === undefined) return err("refs/codex in the real git directory is not a directory");
  try {
    await codex.replace(name, `${oid}\n`);
    return ok();
  } catch (thrown) {
    return err(`refs/codex/${name} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
