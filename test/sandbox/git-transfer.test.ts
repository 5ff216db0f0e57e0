/**
 * Attacks on the way of the agent's commits to the user's repository. Each is made inside; beside
 * it, where git itself falls for it, what a plain `git fetch` from the agent's directory would do.
 */

import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { filesOf, openPrivate, type Private, project } from "./private-git.ts";
import { engine, image } from "./shared.ts";
import { git, own, SLOW, scratchDir, sh } from "./support.ts";

const CHAT = { threadId: "t", path: "/chats/2026-01-31-evil.md" };
const REF = "refs/codex/2026-01-31-evil";

/** A sandbox on a repository, beside one of the user's that is not the agent's to see. */
type Target = Private & { readonly other: string; readonly secret: string };

async function target(): Promise<Target> {
  const root = await project();
  const other = await project("other");
  for (const [dir, name] of [
    [root, "a"],
    [other, "secret"],
  ] as const) {
    await writeFile(join(dir, name), `${name}\n`);
    await own(join(dir, name));
    await git(dir, "add", name);
    await git(dir, "commit", "-qm", name);
  }
  const secret = await git(other, "rev-parse", "HEAD");
  const agent = await openPrivate(engine, image, root);
  await agent.git.follow();
  return { ...agent, other, secret };
}

/** Runs the attack inside; `$1` is the other repository and `$2` its commit. */
async function attack({ sandbox, other, secret }: Target, script: string): Promise<string> {
  const { stdout, stderr } = await sh(sandbox, script, other, secret);
  return stdout + stderr;
}

/** Whether a commit can be had from a git directory with nothing but its own objects. */
async function has(gitDir: string, oid: string): Promise<boolean> {
  const asked = await execa("git", [`--git-dir=${gitDir}`, "cat-file", "-e", oid], {
    reject: false,
  });
  return asked.exitCode === 0;
}

/** What a plain program would do: run git on the host upon a copy of the agent's directory. */
async function naive({ root, dir }: Target, ...args: readonly string[]): Promise<string> {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-naive-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const real = join(base, "real");
  await cp(join(root, ".git"), real, { recursive: true });
  const copy = join(base, "private");
  await execa("cp", ["-a", dir, copy]);
  // On the host what is borrowed would be named by its path there.
  await mkdir(join(copy, "objects/info"), { recursive: true });
  await appendFile(join(copy, "objects/info/alternates"), `${join(root, ".git/objects")}\n`);
  await writeFile(join(base, "gitconfig"), "[safe]\n\tdirectory = *\n");
  const fetch = [`--git-dir=${real}`, "fetch", "-q", copy, "+refs/heads/*:refs/naive/*"];
  await execa("git", args.length === 0 ? fetch : [`--git-dir=${copy}`, ...args], {
    cwd: root,
    env: { GIT_CONFIG_GLOBAL: join(base, "gitconfig"), GIT_CONFIG_SYSTEM: "/dev/null" },
    reject: false,
    timeout: 20_000,
  });
  return real;
}

describe("commits by an attacker", SLOW, () => {
  it("run nothing: no hook, no configured program, no filter", async () => {
    const agent = await target();
    const mark = join(await scratchDir("mark"), "ran");
    const real = await filesOf(join(agent.root, ".git"));
    await attack(
      agent,
      `payload="touch ${mark} 2>/dev/null; true"
       echo evil > evil; git add evil; git commit -qm evil
       for name in pre-commit post-commit reference-transaction post-index-change pre-receive update post-update; do
         mkdir -p .git/hooks; printf '#!/bin/sh\\n%s\\n' "$payload" > .git/hooks/$name; chmod +x .git/hooks/$name; done
       for key in core.fsmonitor core.sshCommand core.pager core.editor core.gitProxy core.alternateRefsCommand alias.fetch \\
           diff.external diff.x.textconv diff.x.command filter.x.clean filter.x.smudge filter.x.process merge.x.driver gpg.program \\
           credential.helper uploadpack.packObjectsHook remote.origin.uploadpack gc.recentObjectsHook; do
         git config $key "$payload #"; done
       git config core.hooksPath .git/hooks; git config log.showSignature true; git config include.path ../evil.config
       echo '* filter=x diff=x merge=x' > .git/info/attributes; cp .git/info/attributes .gitattributes
       git commit -q --allow-empty -m more`,
    );
    const { deliveries } = await agent.git.collect(CHAT);
    expect(deliveries).toMatchObject([{ ref: REF }]);
    expect(existsSync(mark)).toBe(false);
    expect(await filesOf(join(agent.root, ".git"))).toEqual(real);
    await naive(agent, "--work-tree=.", "status");
    expect(existsSync(mark)).toBe(true);
  });

  const writeRef = 'mkdir -p .git/refs/heads; echo "$2" > .git/refs/heads/steal';
  it.each([
    ["alternates", `echo "$1/.git/objects" >> .git/objects/info/alternates; ${writeRef}`],
    ["objects as a link", `rm -rf .git/objects; ln -s "$1/.git/objects" .git/objects; ${writeRef}`],
    [
      "directories of objects as links",
      `node -e '
         for (let i = 0; i < 256; i++) {
           const dir = "/objects/" + i.toString(16).padStart(2, "0");
           fs.rmSync(".git" + dir, { recursive: true, force: true });
           fs.symlinkSync(process.argv[1] + "/.git" + dir, ".git" + dir);
         }' "$1"; ${writeRef}`,
    ],
    [
      "a branch as a link",
      'echo "$1/.git/objects" >> .git/objects/info/alternates; ln -s "$1/.git/refs/heads/master" .git/refs/heads/steal',
    ],
    [
      "refs as a link",
      'echo "$1/.git/objects" >> .git/objects/info/alternates; rm -rf .git/refs; ln -s "$1/.git/refs" .git/refs',
    ],
    ["commondir", 'echo "$1/.git" > .git/commondir'],
  ])("bring in nothing from another repository of the user: %s", async (_name, script) => {
    const agent = await target();
    await attack(agent, script);
    const { deliveries } = await agent.git.collect(CHAT);
    expect(deliveries).toEqual([]);
    expect(await has(join(agent.root, ".git"), agent.secret)).toBe(false);
    expect(await has(await naive(agent), agent.secret)).toBe(true);
  });

  it("arrive unchanged despite replace refs, grafts and a shallow file", async () => {
    const agent = await target();
    const said = await attack(
      agent,
      `echo 1 > x; git add x; git commit -qm real; tip=$(git rev-parse HEAD)
       other=$(git commit-tree -m other HEAD^{tree}); git replace $tip $other
       mkdir -p .git/info; echo "$tip" > .git/info/grafts; echo "$tip" > .git/shallow
       git log --format=%s; echo $tip > .git/refs/heads/master`,
    );
    expect(said).toContain("other");
    const { deliveries } = await agent.git.collect(CHAT);
    for (const { ref } of deliveries)
      expect(await git(agent.root, "log", "--format=%s", ref)).toBe("real\na\nfirst");
    expect(await git(agent.root, "for-each-ref", "refs/replace")).toBe("");
    expect(await git(agent.root, "fsck", "--no-dangling")).toBe("");
  });

  it("stay in refs/codex, whatever their branch names, and arrive 50 at a time", async () => {
    const agent = await target();
    const before = await git(agent.root, "for-each-ref");
    await attack(
      agent,
      `tree=$(git rev-parse HEAD^{tree})
       for i in $(seq 55); do git update-ref refs/heads/many/$i $(git commit-tree -m $i -p HEAD $tree); done
       tip=$(git commit-tree -m odd -p HEAD $tree)
       for name in ../../../hooks/x ../tags/x x.lock 'a b' '@{-1}' -x; do echo "$tip refs/heads/$name" >> .git/packed-refs; done
       echo $tip > .git/refs/heads/-x; echo $tip > .git/refs/heads/HEAD; echo $tip > .git/refs/tags/tag;`,
    );
    const { deliveries, notes } = await agent.git.collect(CHAT);
    expect(deliveries).toHaveLength(50);
    expect(notes).toEqual(["7 more of Codex's branches come after the next turn."]);
    for (const { ref } of deliveries) expect(ref).toMatch(/^refs\/codex\/[\w.-]+$/);
    expect((await agent.git.collect(CHAT)).notes).toEqual([]);
    const after = await git(agent.root, "for-each-ref", "--exclude=refs/codex").catch(() =>
      git(agent.root, "for-each-ref", "refs/heads", "refs/tags", "refs/remotes"),
    );
    expect(after).toBe(before);
  });

  it("do not show the agent a file that the project's settings name", async () => {
    const root = await project();
    const home = await scratchDir("home");
    await writeFile(join(home, "key"), "hunter2\n");
    await writeFile(
      join(root, "team.config"),
      `[core]\n\texcludesFile = ${home}/key\n\tattributesFile = ${home}/key\n`,
    );
    await git(root, "config", "include.path", "../team.config");
    expect(await git(root, "config", "core.excludesFile")).toBe(`${home}/key`);
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    expect((await sh(agent.sandbox, "grep -r hunter2 .git; ls .git")).stdout).not.toContain(
      "hunter2",
    );
  });
});
