import { createHash } from "node:crypto";
import { basename } from "node:path";
import { err, ok, type Result } from "../../result.ts";
import type { Oid } from "./refs.ts";
import { NoFollowDir } from "./repository/index.ts";

/** Where what came from conversations stands in the real repository. */
export const CHAT_REFS = "refs/codex/";

const MAX_CHARS = 80;

/** The ref's last part for a conversation's file: its name, but for what a ref may not have. */
export function chatName(path: string): string {
  return plain(basename(path).replace(/\.md$/, "")) || "chat";
}

/** The ref's last part for a branch other than the one that the agent is on. */
export function branchRefName(chat: string, branch: string): string {
  const name = plain(branch);
  // Different branches must not meet in one ref: what had to be changed gets a hash.
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
 * Sets `refs/codex/<name>` in the real repository as git does, by a lock beside the file. No git is
 * run, so no hook of the user's takes place, and no link is followed.
 */
export async function setChatRef(
  commonDir: string,
  name: string,
  oid: Oid,
): Promise<Result<void, string>> {
  await using common = await NoFollowDir.open(commonDir);
  await using refs = await common?.dir("refs");
  await using codex = await refs?.makeDir("codex");
  if (codex === undefined) return err("refs/codex in the real git directory is no directory");
  try {
    await codex.replace(name, `${oid}\n`);
    return ok();
  } catch (thrown) {
    return err(`refs/codex/${name} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
