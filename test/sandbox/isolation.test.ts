import { chmod, lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { engine, image, sandboxOn } from "./shared.ts";
import {
  exists,
  git,
  open,
  options,
  own,
  repository,
  SLOW,
  scratchDir,
  sh,
  USER,
} from "./support.ts";

describe("a sandbox", SLOW, () => {
  it("has gVisor's kernel, no network but loopback, and no capabilities", async () => {
    const sandbox = await sandboxOn(await repository());
    const { stdout } = await sh(
      sandbox,
      `uname -r; dmesg | grep -ci gvisor; awk -F: 'NR>2 {gsub(/ /,"",$1); print $1}' /proc/net/dev; grep CapEff /proc/self/status`,
    );
    const [kernel, gvisor, ...rest] = stdout.trim().split("\n");
    expect(kernel).not.toBe(release());
    expect(Number(gvisor)).toBeGreaterThan(0);
    expect(rest).toEqual(["lo", "CapEff:\t0000000000000000"]);
  });

  it("runs as the user, with a name, a home and a place for temporary programs", async () => {
    const sandbox = await sandboxOn(await repository());
    const { stdout, stderr } = await sh(
      sandbox,
      `id -u; id -g; whoami; echo $HOME; umask; pwd; node -p 'os.userInfo().username'
       printf '#!/bin/sh\\necho ran' > /tmp/program && chmod +x /tmp/program && /tmp/program; touch $HOME/x && echo home`,
    );
    expect({ stdout: stdout.trim().split("\n"), stderr }).toEqual({
      stdout: [
        String(USER.uid),
        String(USER.gid),
        "agent",
        "/home/agent",
        "0022",
        sandbox.root,
        "agent",
        "ran",
        "home",
      ],
      stderr: "",
    });
  });

  it("creates files in the project that belong to the user on the host", async () => {
    const root = await repository();
    const sandbox = await sandboxOn(root);
    expect((await sh(sandbox, "echo made > made; mkdir dir; touch dir/x")).exitCode).toBe(0);
    for (const name of ["made", "dir", "dir/x"]) {
      const { uid, gid, mode } = await lstat(join(root, name));
      expect({ uid, gid, others: mode & 0o022 }).toEqual({ ...USER, others: 0 });
    }
    expect(await readFile(join(root, "made"), "utf8")).toBe("made\n");
  });

  it("cannot write to its own system or to the host's", async () => {
    const sandbox = await sandboxOn(await repository());
    const { stdout } = await sh(
      sandbox,
      "for it in / /etc /usr /opt/codex-chat /home /var; do touch $it/x 2>/dev/null && echo wrote $it; done; ls /root /home",
    );
    expect(stdout).not.toContain("wrote");
    expect(stdout).toContain("agent");
  });

  it("refuses every attack on the project's .git and other protected files", async () => {
    const root = await repository();
    await writeFile(join(root, ".envrc"), "export A=1\n");
    await mkdir(join(root, ".vscode"));
    await own(join(root, ".envrc"), join(root, ".vscode"));
    const before = await git(root, "rev-parse", "HEAD");
    const listing = await readdir(join(root, ".git"));
    const sandbox = await sandboxOn(root);
    expect(sandbox.protectedNames).toEqual([".git", ".envrc", ".vscode"]);
    const { stdout, stderr } = await sh(
      sandbox,
      `git log --oneline | wc -l
       echo x > .git/hooks/post-checkout; echo x >> .git/config; echo x > .envrc; echo x > .vscode/tasks.json
       mv .git .git2; mv .envrc .envrc2; rm -rf .git .envrc .vscode
       unshare -Urm sh -c 'mount -o remount,rw '$PWD/.git'; echo x > .git/hooks/post-checkout; umount -l '$PWD/.envrc'; echo x > .envrc'
       git commit --allow-empty -m inside`,
    );
    expect(stdout.trim().split("\n")[0]).toBe("1");
    expect(stderr).toContain("mv: cannot move '.git' to '.git2': Device or resource busy");
    expect(await git(root, "rev-parse", "HEAD")).toBe(before);
    expect(await readdir(join(root, ".git"))).toEqual(listing);
    expect(await readFile(join(root, ".git/config"), "utf8")).not.toContain("x\n");
    expect(await readFile(join(root, ".envrc"), "utf8")).toBe("export A=1\n");
    expect(await readdir(join(root, ".vscode"))).toEqual([]);
    expect(await readdir(join(root, ".git/hooks"))).not.toContain("post-checkout");
  });

  it("has nothing from the host's environment in its variables, processes or files", async () => {
    const canary = `canary-${process.pid}-never-inside`;
    process.env["CODEX_CHAT_TEST_SECRET"] = canary;
    const secretDir = await scratchDir("secret");
    await writeFile(join(secretDir, "key"), canary);
    await chmod(join(secretDir, "key"), 0o644);
    const sandbox = await sandboxOn(await repository(), { env: { TZ: "Europe/Oslo" } });
    const { stdout } = await sh(
      sandbox,
      `env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; cat "$1" 2>&1; ls /var/run/docker.sock /run 2>&1`,
      join(secretDir, "key"),
    );
    delete process.env["CODEX_CHAT_TEST_SECRET"];
    expect(stdout).toContain("TZ=Europe/Oslo");
    expect(stdout).toContain("keeper.sh");
    expect(stdout).not.toContain(canary);
    const variables = stdout.split("\n").flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect([...new Set(variables)].sort()).toEqual([
      "CODEX_CHAT_KEEPER",
      "CODEX_CHAT_PATH",
      "CODEX_HOME",
      "HOME",
      "HOSTNAME",
      "LANG",
      "LOGNAME",
      "PATH",
      "PWD",
      "TZ",
      "USER",
    ]);
  });

  it("has CODEX_HOME writable at its own path, and nothing else of the state directory", async () => {
    const how = await options(image, await repository());
    const sandbox = await open(engine, how);
    const { stdout } = await sh(
      sandbox,
      `echo x > "$CODEX_HOME/config.toml" && echo wrote; ls -A "$(dirname "$CODEX_HOME")"; ls "$1" 2>&1`,
      join(how.stateDir, "leases"),
    );
    expect(stdout.trim().split("\n").slice(0, 2)).toEqual(["wrote", "codex-home"]);
    expect(stdout).toContain("No such file or directory");
    expect(await readdir(join(how.stateDir, "codex-home"))).toEqual(["config.toml"]);
  });

  it("holds hundreds of processes at once", async () => {
    const sandbox = await sandboxOn(await repository());
    const { stdout } = await sh(
      sandbox,
      // A process that was just forked has its program a moment later.
      `for i in $(seq 200); do sleep 600 & done
       tries=0
       while [ "$(pgrep -cf '^sleep 600')" -lt 200 ] && [ $tries -lt 300 ]; do
         tries=$((tries + 1)); sleep 0.1
       done
       pgrep -cf '^sleep 600'; pkill -f '^sleep 600'`,
    );
    expect(stdout.trim()).toBe("200");
  });

  it("is the only thing that ends when a program inside exceeds the memory limit", async () => {
    const limits = { memoryBytes: 512 * 1024 ** 2 };
    const sandbox = await sandboxOn(await repository(), { limits });
    const hog = sh(
      sandbox,
      "node -e 'const held = []; for (;;) held.push(Buffer.alloc(1 << 26, 1))'",
    );
    expect(await sandbox.died).toEqual({ reason: "out_of_memory" });
    expect([null, 137]).toContain((await hog).exitCode);
    expect(await exists(engine, sandbox.id)).toBe(false);
  });
});
