import { cp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
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

/** A file of another repository of the user's, and what is in it. */
export const SECRET = { name: "password.txt", text: "TOPSECRET-of-the-other-repository" } as const;

/** Makes another repository of the user's, outside of the project, and gives its commit. */
export async function makeOther(other: string): Promise<string> {
  await mkdir(other, { recursive: true });
  await writeFile(join(other, SECRET.name), `${SECRET.text}\n`);
  const git = (...args: readonly string[]) =>
    execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: other });
  await git("init", "-q", "-b", "main");
  await git("add", ".");
  await git("commit", "-q", "-m", "first");
  return (await git("rev-parse", "HEAD")).stdout;
}

const pack = (other: string) => execa("git", ["pack-refs", "--all"], { cwd: other });

/** Repositories in the project by which git shows another one; each begins in one without commits. */
export const LEADING_OUT: readonly (readonly [
  name: string,
  plant: (root: string, other: string) => Promise<unknown>,
])[] = [
  [
    "borrows objects and has a link for its branch",
    async (root, other) => {
      await borrow(root, other);
      await symlink(join(other, ".git/refs/heads/main"), join(root, ".git/refs/heads/main"));
    },
  ],
  [
    "borrows objects and has a link for its packed branches",
    async (root, other) => {
      await pack(other);
      await borrow(root, other);
      await symlink(join(other, ".git/packed-refs"), join(root, ".git/packed-refs"));
    },
  ],
  [
    "borrows objects through its own directory",
    async (root, other) => {
      const between = join(root, "between");
      await mkdir(join(between, "info"), { recursive: true });
      await writeFile(join(between, "info/alternates"), `${join(other, ".git/objects")}\n`);
      await writeFile(join(root, ".git/objects/info/alternates"), `${between}\n`);
      await symlink(join(other, ".git/refs/heads/main"), join(root, ".git/refs/heads/main"));
    },
  ],
  [
    "has links for its objects and branches",
    async (root, other) => {
      for (const name of ["objects", "refs"]) {
        await rm(join(root, ".git", name), { recursive: true });
        await symlink(join(other, ".git", name), join(root, ".git", name));
      }
    },
  ],
  [
    "has the other's commit, and links for its packs",
    async (root, other) => {
      await execa("git", ["repack", "-q", "-a", "-d"], { cwd: other });
      const { stdout } = await execa("git", ["rev-parse", "HEAD"], { cwd: other });
      await rm(join(root, ".git/objects/pack"), { recursive: true });
      await symlink(join(other, ".git/objects/pack"), join(root, ".git/objects/pack"));
      await writeFile(join(root, ".git/HEAD"), `${stdout}\n`);
    },
  ],
  [
    "has the other's commit, and links for its loose objects",
    async (root, other) => {
      const { stdout } = await execa("git", ["rev-parse", "HEAD"], { cwd: other });
      await cp(join(other, ".git/objects"), join(root, ".git/objects"), { recursive: true });
      const listed = await execa("find", [".git/objects", "-type", "f"], { cwd: other });
      for (const path of listed.stdout.split("\n")) {
        await rm(join(root, path), { force: true });
        await symlink(join(other, path), join(root, path));
      }
      await writeFile(join(root, ".git/HEAD"), `${stdout}\n`);
    },
  ],
  [
    "borrows objects and knows the commit",
    async (root, other) => {
      const { stdout } = await execa("git", ["rev-parse", "HEAD"], { cwd: other });
      await borrow(root, other);
      await writeFile(join(root, ".git/HEAD"), `${stdout}\n`);
    },
  ],
  [
    "names another directory as its common directory",
    async (root, other) => {
      await writeFile(join(root, ".git/commondir"), `${join(other, ".git")}\n`);
    },
  ],
  [
    "is a pointer to the other",
    async (root, other) => {
      await rm(join(root, ".git"), { recursive: true });
      await writeFile(join(root, ".git"), `gitdir: ${join(other, ".git")}\n`);
    },
  ],
  [
    "is a link to the other",
    async (root, other) => {
      await rm(join(root, ".git"), { recursive: true });
      await symlink(join(other, ".git"), join(root, ".git"));
    },
  ],
  [
    "is a pointer to a directory that points back, with the other as its common directory",
    async (root, other) => {
      await rename(join(root, ".git"), join(root, "own"));
      await writeFile(join(root, ".git"), `gitdir: ${join(root, "own")}\n`);
      await writeFile(join(root, "own/gitdir"), `${join(root, ".git")}\n`);
      await writeFile(join(root, "own/commondir"), `${join(other, ".git")}\n`);
    },
  ],
];

async function borrow(root: string, other: string): Promise<void> {
  await writeFile(join(root, ".git/objects/info/alternates"), `${join(other, ".git/objects")}\n`);
}
