import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { filesOf, openPrivate, ownAll, type Private, project } from "./private-git.ts";
import { engine, image } from "./shared.ts";
import { git, own, SLOW, scratchDir, sh, USER } from "./support.ts";

const CHAT = { threadId: "thread", path: "/chats/2026-01-31-add-tests.md" };
const REF = "refs/codex/2026-01-31-add-tests";

/** Writes files as the user. */
async function write(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  await ownAll(root);
}

async function commit(root: string, files: Readonly<Record<string, string>>, message: string) {
  await write(root, files);
  await git(root, "add", "-A");
  await git(root, "commit", "-qm", message);
}

/** Runs a script that must succeed, and gives what it printed. */
async function inside({ sandbox }: Private, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await sh(sandbox, `set -e\n${script}`);
  if (exitCode !== 0) throw new Error(`${exitCode}: ${stderr}\n${stdout}`);
  return stdout;
}

describe("the agent's own git directory", SLOW, () => {
  it("answers like the real one, and accepts everything an agent does with git", async () => {
    const root = await project();
    await commit(root, { a: "1\n", "dir/b": "1\n", ".gitignore": "ignored\n" }, "second");
    await git(root, "tag", "-am", "tagged", "v1");
    await git(root, "branch", "other");
    await write(root, { a: "changed\n", staged: "x\n", untracked: "x\n", ignored: "x\n" });
    await git(root, "add", "staged");
    const before = await filesOf(join(root, ".git"));
    const agent = await openPrivate(engine, image, root);
    expect(await agent.git.follow()).toEqual({ deliveries: [], notes: [] });

    const asked = ["status", "branch -a", "log --format=%H%d", "diff", "diff --cached", "tag -n"];
    for (const what of asked)
      expect(await inside(agent, `git ${what}`)).toBe(
        `${await git(root, ...what.split(" "))}\n`.replace(/^\n$/, ""),
      );

    await inside(
      agent,
      "git stash -uq; git switch -qc feature; echo 2 > a; git commit -qam one; echo 3 > a; git commit -qam two",
    );
    await inside(
      agent,
      "git commit -q --amend -m 'two, amended'; git rebase -q --exec true HEAD~1; git blame a; git show --stat",
    );
    await inside(
      agent,
      "git worktree add -q /tmp/tree other; cd /tmp/tree; echo 4 > dir/b; git commit -qam three",
    );
    await inside(
      agent,
      "git merge -q --no-edit other; git worktree remove /tmp/tree; git stash pop -q || true; git fsck",
    );

    const { deliveries, notes } = await agent.git.collect(CHAT);
    expect(notes).toEqual([]);
    expect(deliveries).toMatchObject([
      { ref: REF, branch: "feature", count: 4, isForward: true },
      { ref: `${REF}--other`, branch: "other", count: 1 },
    ]);
    expect(await git(root, "log", "--format=%s %an <%ae>", "-n", "5", REF)).toContain(
      "two, amended Someone <someone@example.org>",
    );
    expect(await git(root, "fsck", "--no-dangling")).toBe("");
    const after = await filesOf(join(root, ".git"));
    expect(after).toEqual(before);
  });

  it("supports an interactive rebase, conflicts, bisect, gc, worktrees and all kinds of branches", async () => {
    const root = await project();
    await commit(root, { a: "1\n" }, "second");
    const before = await filesOf(join(root, ".git"));
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    const steps: readonly string[] = [
      "git switch -qc feature; for n in 1 2 3; do echo $n > b; git add b; git commit -qm b$n; done",
      "GIT_SEQUENCE_EDITOR='sed -i 2s/pick/squash/' GIT_EDITOR=true git rebase -q -i HEAD~3; echo f > a; git commit -qam 'feature a'",
      "git switch -q master; echo m > a; git commit -qam 'master a'; git switch -q feature",
      "! git rebase -q master; git rebase --abort; ! git rebase -q master; echo both > a; git add a; GIT_EDITOR=true git rebase --continue",
      "git switch -qc other HEAD~1; echo o > a; git commit -qam other; ! git merge -q feature; git merge --abort; ! git cherry-pick feature; git cherry-pick --abort",
      "git bisect start HEAD HEAD~2; git bisect run true; git bisect reset; git rm -q b; git mv a c; git commit -qm moved; git reset -q --hard; git clean -qfdx",
      "git worktree add -q tree -b tree; cd tree; echo t > t; git add t; git commit -qm tree; cd ..; git worktree remove tree",
      'git init -q /tmp/other; cd /tmp/other; git commit -q --allow-empty -m other; git config --global x.y z; cd "$OLDPWD"',
      "git switch -q --orphan orphan; echo o > o; git add o; git commit -qm orphan; git switch -q --detach feature; git commit -q --allow-empty -m detached",
      "git reflog expire --expire=now --all; git gc -q --prune=now; git repack -adq; git pack-refs --all; git fsck",
    ];
    for (const step of steps) {
      await inside(agent, `${step}; git status`);
      expect((await agent.git.collect(CHAT)).notes, step).toEqual([]);
      expect(await agent.git.follow(CHAT), step).toEqual({ deliveries: [], notes: [] });
      await git(root, "status");
      expect(await git(root, "fsck", "--no-dangling"), step).toBe("");
    }
    expect(await inside(agent, "git -C /tmp/other log --format=%an; git config x.y")).toBe(
      "Someone\nz\n",
    );
    const subjects = (ref: string) => git(root, "log", "--format=%s", ref);
    expect(await subjects(`${REF}--feature`)).toBe("feature a\nb3\nb1\nmaster a\nsecond\nfirst");
    expect(await subjects(`${REF}--tree`)).toMatch(/^tree\nmoved\n/);
    expect(await subjects(`${REF}--orphan`)).toBe("orphan");
    expect(await subjects(REF)).toMatch(/^detached\nfeature a\n/);
    const after = await filesOf(join(root, ".git"));
    expect({ ...after, index: "" }).toEqual({ ...before, index: "" });
  });

  it("delivers commits that the user can take with `git reset`, leaving the files as they are", async () => {
    const root = await project();
    await commit(root, { a: "1\n" }, "second");
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    await inside(agent, "echo 2 > a; echo new > b; git add .; git commit -qm 'from inside'");
    await agent.git.collect(CHAT);
    await ownAll(join(root, ".git"));
    await git(root, "reset", "-q", REF);
    expect(await git(root, "status", "--porcelain")).toBe("");
    expect(await agent.git.follow(CHAT)).toEqual({ deliveries: [], notes: [] });
    expect(await agent.git.collect(CHAT)).toEqual({ deliveries: [], notes: [] });
    expect(await inside(agent, "git status --porcelain; git log --format=%s -n 1")).toBe(
      "from inside\n",
    );
  });

  it("follows the user's commits, switches and branch deletions between turns", async () => {
    const root = await project();
    await git(root, "branch", "gone");
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    await commit(root, { a: "1\n" }, "by the user");
    await git(root, "branch", "-qD", "gone");
    await git(root, "switch", "-qc", "next/step");
    await commit(root, { b: "1\n" }, "on a branch");
    expect(await agent.git.follow(CHAT)).toEqual({ deliveries: [], notes: [] });
    expect(await inside(agent, "git status -sb; git branch; git log --format=%s -n 2")).toBe(
      "## next/step\n  master\n* next/step\non a branch\nby the user\n",
    );
    await git(root, "switch", "-q", "--detach", "HEAD~1");
    await agent.git.follow(CHAT);
    expect(await inside(agent, "git status -sb")).toBe("## HEAD (no branch)\n");
  });

  it("keeps the agent's commits if both sides have changed a branch, and reports it", async () => {
    const root = await project();
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    await inside(agent, "echo agent > x; git add x; git commit -qm agent");
    await commit(root, { y: "user\n" }, "user");
    // What the agent made is a file of the user's commit, too: the contents differ only by `y`.
    await git(root, "rm", "-q", "--cached", "x");
    await git(root, "commit", "-q", "--amend", "-m", "user");
    const news = await agent.git.follow(CHAT);
    expect(news.deliveries).toMatchObject([{ ref: REF, count: 1, isForward: false }]);
    expect(news.notes).toEqual([
      "You and Codex have both changed master: Codex goes on with its own version, without your changes.",
    ]);
    expect(await inside(agent, "git log --format=%s -n 1")).toBe("agent\n");
    expect(await agent.git.follow(CHAT)).toEqual({ deliveries: [], notes: [] });
  });

  it("never takes a user's commit for the agent's, even after it was amended or rebased away", async () => {
    const root = await project();
    await git(root, "switch", "-qc", "topic");
    await commit(root, { a: "1\n" }, "by the user");
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    await git(root, "commit", "-q", "--amend", "-m", "by the user, amended");
    await git(root, "switch", "-q", "--detach");
    expect(await agent.git.follow(CHAT)).toEqual({ deliveries: [], notes: [] });
    await git(root, "commit", "-q", "--allow-empty", "-m", "on no branch");
    await agent.git.follow(CHAT);
    await git(root, "switch", "-q", "topic");
    expect(await agent.git.follow(CHAT)).toEqual({ deliveries: [], notes: [] });
    expect(await inside(agent, "git log --format=%s -n 1; git branch; ls -d .git/hooks")).toBe(
      "by the user, amended\n  master\n* topic\n.git/hooks\n",
    );
  });

  it("takes the user's commit if its content is the same", async () => {
    const root = await project();
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    await inside(
      agent,
      "echo 1 > x; git add x; git commit -qm one; echo 2 > x; git commit -qam two",
    );
    await git(root, "add", "x");
    await git(root, "commit", "-qm", "both in one, by the user");
    const news = await agent.git.follow(CHAT);
    expect(news).toMatchObject({ deliveries: [{ count: 2 }], notes: [] });
    expect(await inside(agent, "git status -s; git log --format=%s -n 1")).toBe(
      "both in one, by the user\n",
    );
  });

  it("works in a worktree, and delivers into the repository of that worktree", async () => {
    const main = await project("main");
    const tree = join(dirname(main), "tree");
    await own(dirname(main));
    await git(main, "worktree", "add", "-q", tree);
    const agent = await openPrivate(engine, image, tree);
    await agent.git.follow();
    expect(
      await inside(
        agent,
        "git status -sb; echo 1 > x; git add x; git commit -qm inside; ls $1/.git/config 2>&1 || true",
      ),
    ).toContain("## tree\n");
    expect((await agent.git.collect(CHAT)).deliveries).toMatchObject([
      { ref: REF, branch: "tree" },
    ]);
    expect(await git(main, "log", "--format=%s", "-n", "1", REF)).toBe("inside");
    const attack = await sh(
      agent.sandbox,
      'echo x > .git; rm -f .git; mv .git y; cat "$1/.git/config" "$1/.git/HEAD"',
      main,
    );
    expect(attack.stdout).toBe("");
    expect(await git(tree, "status", "--porcelain")).toBe("?? x");
  });

  it("shows the agent nothing of the real configuration, hooks, stash or reflog", async () => {
    const root = await project();
    await git(root, "config", "remote.origin.url", "https://me:hunter2@example.org/x.git");
    await git(root, "config", "http.extraHeader", "Authorization: hunter2");
    await git(root, "config", "url.https://hunter2@x/.insteadOf", "https://x/");
    await git(root, "config", "alias.x", "!echo hunter2");
    await git(root, "config", "core.sshCommand", "ssh -i hunter2");
    await writeFile(join(root, ".git/hooks/pre-commit"), "hunter2");
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    expect(
      await inside(agent, "git remote -v; cat /proc/mounts | grep -c opt/codex-chat/git"),
    ).toBe(
      "origin\thttps://example.org/x.git (fetch)\norigin\thttps://example.org/x.git (push)\n1\n",
    );
    expect((await sh(agent.sandbox, "grep -r hunter2 .git /opt/codex-chat/git*")).stdout).toBe("");
    expect(
      (await sh(agent.sandbox, "echo x > /opt/codex-chat/git/objects-0/x; mv .git y; rm -rf .git"))
        .exitCode,
    ).not.toBe(0);
    expect(await readFile(join(root, ".git/hooks/pre-commit"), "utf8")).toBe("hunter2");
  });

  it("covers submodules, and delivers what was committed in them", async () => {
    const library = await project("library");
    await commit(library, { lib: "1\n" }, "library");
    const root = await project();
    const add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"];
    await git(root, ...add, library, "libs/one");
    await git(root, "commit", "-qm", "with a submodule");
    await git(join(root, "libs/one"), "config", "user.name", "Someone");
    await git(join(root, "libs/one"), "config", "user.email", "someone@example.org");
    const agent = await openPrivate(engine, image, root);
    expect(await agent.git.follow()).toEqual({ deliveries: [], notes: [] });
    expect(
      await inside(agent, "git status -s; git -C libs/one log --format=%s; git submodule status"),
    ).toMatch(/^library\nfirst\n [0-9a-f]{40} libs\/one /);
    await inside(
      agent,
      "cd libs/one; git switch -qc more; echo 2 > lib; git commit -qam more; cd ../..; git commit -qam 'more of it'",
    );
    const { deliveries, notes } = await agent.git.collect(CHAT);
    expect(notes).toEqual([]);
    expect(deliveries).toMatchObject([
      { ref: REF, branch: "master", submodule: undefined },
      { ref: REF, branch: "more", submodule: "libs/one" },
    ]);
    expect(await git(join(root, "libs/one"), "log", "--format=%s", "-n", "1", REF)).toBe("more");
  });

  it("supports a repository that is shallow, sparse and has a split index", async () => {
    const source = await project("source");
    await commit(source, { "in/a": "1\n", "out/b": "1\n" }, "second");
    await commit(source, { "in/a": "2\n" }, "third");
    const root = join(dirname(source), "clone");
    await own(dirname(source));
    await git(dirname(source), "clone", "-q", "--depth=1", `file://${source}`, root);
    await git(root, "config", "user.name", "Someone");
    await git(root, "config", "user.email", "someone@example.org");
    await git(root, "sparse-checkout", "set", "in");
    await git(root, "update-index", "--split-index");
    const agent = await openPrivate(engine, image, root);
    expect(await agent.git.follow()).toEqual({ deliveries: [], notes: [] });
    const said = "ls; git status -s; git log --format=%s; git sparse-checkout list";
    expect(await inside(agent, said)).toBe("in\nthird\nin\n");
    await inside(agent, "echo 3 > in/a; git commit -qam fourth");
    expect(await agent.git.collect(CHAT)).toMatchObject({ deliveries: [{ count: 1 }], notes: [] });
    expect(await git(root, "ls-tree", "-r", "--name-only", REF)).toBe("in/a\nout/b");
  });

  it("supports a SHA-256 repository without a commit", async () => {
    const root = await scratchDir("new");
    await git(root, "init", "-q", "--object-format=sha256", "-b", "trunk");
    await git(root, "config", "user.name", "Someone");
    await git(root, "config", "user.email", "someone@example.org");
    const agent = await openPrivate(engine, image, root);
    expect(await agent.git.follow()).toEqual({ deliveries: [], notes: [] });
    expect(
      await inside(
        agent,
        "git branch --show-current; echo 1 > a; git add a; git commit -qm first; git status -s",
      ),
    ).toBe("trunk\n");
    const { deliveries } = await agent.git.collect(CHAT);
    expect(deliveries).toMatchObject([{ ref: REF, branch: "trunk", count: 1, isForward: true }]);
    expect(deliveries[0]?.tip).toMatch(/^[0-9a-f]{64}$/);
    await ownAll(join(root, ".git"));
    await git(root, "reset", "-q", REF);
    expect(await git(root, "status", "-s")).toBe("");
  });

  it("is repaired after the agent has destroyed it", async () => {
    const root = await project();
    await commit(root, { a: "1\n" }, "second");
    const agent = await openPrivate(engine, image, root);
    await agent.git.follow();
    await sh(agent.sandbox, "rm -rf .git/*");
    expect(await agent.git.collect(CHAT)).toEqual({ deliveries: [], notes: [] });
    expect(await agent.git.follow(CHAT)).toEqual({ deliveries: [], notes: [] });
    expect(await inside(agent, "git status -s; git log --format=%s -n 1")).toBe("second\n");
    await inside(agent, "echo 1 > x; git add x; git commit -qm third; rm .git/HEAD .git/config");
    expect((await agent.git.follow(CHAT)).notes).toEqual([]);
    expect(await inside(agent, "git status -s; git log --format=%s -n 1")).toBe("third\n");
  });

  it("keeps the agent's state when a sandbox is opened again", async () => {
    const root = await project();
    const first = await openPrivate(engine, image, root);
    await first.git.follow();
    await inside(first, "git switch -qc kept; echo 1 > x; git add x; git commit -qm kept");
    await first.sandbox.remove();
    const { stateDir } = first;
    await commit(root, { y: "1\n" }, "meanwhile");
    const second = await openPrivate(engine, image, root, { stateDir });
    const news = await second.git.follow(CHAT);
    expect(news).toMatchObject({ deliveries: [{ branch: "kept", count: 1 }], notes: [] });
    expect(await inside(second, "git log --format=%s -n 1; git log --format=%s -n 1 master")).toBe(
      "kept\nmeanwhile\n",
    );
    expect(USER.uid).not.toBe(0);
  });
});
