import { appendFile, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { PrivateGit } from "./private-git.ts";

it("reports for which submodules the agent has no git, and why", async () => {
  const base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-private-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const git = (cwd: string, ...args: readonly string[]) =>
    execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
  const [library, root] = [join(base, "library"), join(base, "root")];
  for (const dir of [library, root]) {
    await git(base, "init", "-q", dir);
    await git(dir, "commit", "-q", "--allow-empty", "-m", "first");
  }
  for (const name of ["whole", "libs/partial"])
    await git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, name);
  const gitDir = join(root, ".git");
  const config = join(gitDir, "modules/libs/partial/config");
  await appendFile(config, '[remote "origin"]\n\tpromisor = true\n');
  const prepared = await PrivateGit.prepare({
    ...{ root, gitDir, commonDir: gitDir, readable: [], stateDir: join(base, "state") },
    env: { PATH: process.env["PATH"], HOME: base, GIT_CONFIG_SYSTEM: "/dev/null" },
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
  });
  expect(prepared.ok && prepared.value.notes).toEqual([
    "Git does not work in the sandbox in the submodule libs/partial: it is a partial clone, whose missing objects git would fetch from the network.",
  ]);
});
