import { createHash } from "node:crypto";
import { basename } from "node:path";

/** The hash in a container's name: it differs between users and between state directories. */
export function projectHash(root: string, stateDir: string): string {
  return createHash("sha256").update(`${root}\0${stateDir}`).digest("hex").slice(0, 12);
}

/** The container's name: the project's name without characters that are not allowed, and its hash. */
export function containerName(root: string, hash: string): string {
  const name = basename(root)
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 40);
  return `codex-chat-${name || "project"}-${hash}`;
}
