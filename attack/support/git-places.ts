/** Repositories that are attacked: in the product's sandbox, and where nothing of them is guarded. */

import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gitTurnHook } from "../../src/session/hooks/agent-git.ts";
import { type Fortress, fortress, type Inside, openPlace } from "./containers.ts";
import { git, hostPlace, lazily, Mark, plantRepository } from "./places.ts";

/** A repository of the user's, and where a program inside reaches it. */
export type GitTarget = {
  readonly inside: Inside;
  readonly root: string;
  /** Another repository of the user's, not the agent's to see. */
  readonly other: string;
  /** A directory of the user's with `secret.txt` in it. */
  readonly home: string;
  readonly secret: string;
  readonly mark: Mark;
  /** What the host does in the agent's git directory when a turn has ended. */
  readonly turnEnds: () => Promise<void>;
};

/** What a repository is made with. */
type Planting = (root: string, other: string) => Promise<void>;

/**
 * A repository as teams have them: with submodules in a directory, one of them not checked out, a
 * configuration that includes a file of the project and has a script of it run, and git's extension
 * for a configuration per worktree.
 */
export const teamRepository: Planting = async (root, other) => {
  await plantOther(other);
  await plantRepository(root);
  await mkdir(join(root, ".husky", "hooks"), { recursive: true });
  await writeFile(join(root, ".husky", "config"), "husky\n");
  await writeFile(join(root, "team.gitconfig"), "[alias]\n\tst = status\n");
  await mkdir(join(root, "tools"));
  await writeFile(join(root, "tools", "textconv"), '#!/bin/sh\ncat "$@"\n', { mode: 0o755 });
  await writeFile(join(root, ".gitattributes"), "*.bin diff=bin\n");
  await writeFile(join(root, "data.bin"), "data\n");
  for (const name of ["sub", "empty"]) {
    const add = ["submodule", "add", other, `mods/${name}`];
    await git(root, "-c", "protocol.file.allow=always", ...add);
  }
  await git(root, "add", "-A");
  await git(root, "commit", "-q", "-m", "team");
  await git(root, "submodule", "deinit", "-f", "mods/empty");
  await git(root, "config", "diff.bin.textconv", "tools/textconv");
  await git(root, "config", "include.path", "../team.gitconfig");
  await git(root, "config", "extensions.worktreeConfig", "true");
};

/** A linked worktree, whose hooks lie in the project. */
export const worktree: Planting = async (root, other) => {
  await plantOther(other);
  await mkdir(join(other, ".githooks"));
  await writeFile(join(other, ".githooks", "README"), "hooks\n");
  await git(other, "add", "-A");
  await git(other, "commit", "-q", "-m", "hooks");
  await git(other, "config", "core.hooksPath", ".githooks");
  await git(other, "config", "extensions.worktreeConfig", "true");
  await git(other, "worktree", "add", "-q", "-b", "side", root);
};

async function plantOther(other: string): Promise<void> {
  await plantRepository(other);
  await writeFile(join(other, "private.txt"), "of the other repository\n");
  await git(other, "add", "-A");
  await git(other, "commit", "-q", "-m", "private");
}

const NO_AUDIT = { record: () => {}, close: async () => {} };

/** Does what the conversation says, as a user does who believes it. */
async function takeOver(root: string, said: string): Promise<void> {
  if (said.includes("add a repository in the project"))
    for (const path of await readdir(root, { recursive: true }))
      if (/[^/]\/\.git$/.test(path) && !path.startsWith("mods/") && !path.startsWith(".git/"))
        await rm(join(root, path), { recursive: true, force: true });
  for (const [, command = "", ref = ""] of said.matchAll(/`git (reset|merge) (refs\/codex\/\S+)`/g))
    await git(root, command, ref);
}

/** The conversation whose commits come to the user. */
const CHAT = { threadId: "thread", path: "/chats/attack.md" };

/** The product's sandbox on such a repository, one for all attempts of a file. */
export function guarded(
  plant: Planting,
  settings: Readonly<Record<string, unknown>> = {},
): () => Promise<GitTarget> {
  const opened = lazily(async (): Promise<Fortress & { readonly planted: string }> => {
    const place = await hostPlace("guarded");
    await plant(place.project, join(place.base, "other"));
    const planted = (await git(place.project, "rev-parse", "HEAD")).trim();
    const fort = await fortress(place, settings);
    const isPrivate = settings["git"] !== "off";
    if ((fort.git !== undefined) !== isPrivate)
      throw new Error("the sandbox has another git than it should");
    return { ...fort, planted };
  });
  return async () => {
    const inside = await opened();
    const { project, base, home, secret } = inside.place;
    const mark = await Mark.make();
    // What an earlier attempt has left must neither help nor hinder this one.
    await git(project, "reset", "-q", "--hard", inside.planted);
    await git(project, "clean", "-ffdxq", "-e", ".husky");
    const { after, before } = gitTurnHook(() => inside.git, NO_AUDIT);
    const turnEnds = async () => {
      const told = await after(CHAT);
      await takeOver(
        project,
        told.map((message) => ("text" in message ? String(message.text) : "")).join("\n"),
      );
      await before(CHAT, AbortSignal.timeout(60_000));
    };
    return { inside, root: project, other: join(base, "other"), home, secret, mark, turnEnds };
  };
}

const open = lazily(() => openPlace("open"));
let count = 0;

/** A repository of its own, in a container that has all around it and nothing read-only. */
export function unguarded(plant: Planting): () => Promise<GitTarget> {
  return async () => {
    const { base, inside } = await open();
    const place = join(base, String(count++));
    const home = join(place, "home");
    await mkdir(home, { recursive: true });
    const secret = `canary-${Math.random().toString(36).slice(2)}`;
    await writeFile(join(home, "secret.txt"), secret);
    const [root, other] = [join(place, "project"), join(place, "other")];
    await plant(root, other);
    // As one does who takes the agent's directory for one of his own.
    const turnEnds = async () => {
      await writeFile(join(root, ".git", "info", "exclude"), "of the host\n").catch(() => {});
      await git(root, "fetch", "-q", ".", "+refs/heads/*:refs/codex/*");
      await takeOver(root, "`git merge refs/codex/main`");
    };
    return { inside, root, other, home, secret, mark: await Mark.make(), turnEnds };
  };
}
