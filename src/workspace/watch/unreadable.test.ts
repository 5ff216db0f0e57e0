import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";

const isRoot = process.geteuid?.() === 0;
/** Nobody else's: of root no right is refused, so that the look is taken as somebody else. */
const UID = isRoot ? 4242 : (process.geteuid?.() ?? 0);

/** A project of an ordinary user's, who looks at it in a process of that user's. */
class Project {
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), "codex-chat-unseen-")));
  readonly root = join(this.base, "project");
  readonly #looks: AsyncIterator<string>;
  readonly #ask: () => void;

  constructor() {
    this.dir("");
    chmodSync(this.base, 0o755);
    const outfile = join(this.base, "look.mjs");
    const entry = fileURLToPath(new URL("./index.ts", import.meta.url));
    const how = { bundle: true, platform: "node", format: "esm", target: "node20" } as const;
    const banner = `import { createRequire } from "node:module"; const require = createRequire("/");`;
    buildSync({ entryPoints: [entry], outfile, banner: { js: banner }, ...how });
    const program = `
      const { changesOf, pathMatcher, snapshotWatched } = await import(${JSON.stringify(outfile)});
      let earlier;
      for await (const _ of process.stdin) {
        const now = await snapshotWatched({ root: ${JSON.stringify(this.root)}, matcher: pathMatcher([]), earlier });
        const changes = earlier === undefined ? [] : changesOf(earlier, now);
        console.log(JSON.stringify(changes.map(({ path, change }) => path + " " + change)));
        earlier = now;
      }`;
    const node = [process.execPath, "--input-type=module", "-e", program];
    const other = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];
    const [file = "", ...args] = isRoot ? [...other, ...node] : node;
    const child = spawn(file, args, { cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      execFileSync("chmod", ["-R", "u+rwx", this.base]);
      // Node has no way to remove what is too deep for a path.
      execFileSync("rm", ["-rf", this.base]);
    });
    this.#ask = () => child.stdin.write("look\n");
    this.#looks = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  dir(path: string): void {
    const at = join(this.root, path);
    mkdirSync(at, { recursive: true });
    for (let dir = at; dir !== this.base; dir = dirname(dir)) if (isRoot) chownSync(dir, UID, UID);
  }

  write(path: string, text = "x"): void {
    this.dir(dirname(path));
    writeFileSync(join(this.root, path), text);
    if (isRoot) chownSync(join(this.root, path), UID, UID);
  }

  mode(path: string, mode: number): void {
    chmodSync(join(this.root, path), mode);
  }

  /** What changed since the last look. */
  async look(): Promise<string[]> {
    this.#ask();
    const line = await this.#looks.next();
    return JSON.parse(String(line.value)) as string[];
  }
}

describe("a directory that cannot be looked at", () => {
  it.each([0o000, 0o111, 0o444])("of mode %o is reported, and not as removed", async (mode) => {
    const project = new Project();
    project.write("tools/Makefile");
    project.write("tools/sub/.envrc");
    await project.look();
    project.mode("tools", mode);
    expect(await project.look()).toEqual(["tools cannot be accessed (EACCES)"]);
    expect(await project.look()).toEqual([]);
    project.mode("tools", 0o755);
    expect(await project.look()).toEqual([]);
  });

  it("hides no change made meanwhile", async () => {
    const project = new Project();
    for (const path of ["Makefile", "sub/.envrc", "gone/justfile"]) project.write(`tools/${path}`);
    await project.look();
    project.mode("tools", 0o000);
    await project.look();
    project.mode("tools", 0o755);
    project.write("tools/Makefile", "evil");
    project.write("tools/sub/.nvim.lua", "evil");
    symlinkSync("/etc", join(project.root, "tools/out"));
    rmSync(join(project.root, "tools/gone"), { recursive: true });
    project.mode("tools", 0o000);
    expect(await project.look()).toEqual([]);
    project.mode("tools", 0o755);
    expect(await project.look()).toEqual([
      "tools/out linked",
      "tools/sub/.nvim.lua created",
      "tools/Makefile changed",
      "tools/gone/justfile removed",
    ]);
  });

  it("is reported if it is new, also in a repository", async () => {
    const project = new Project();
    await project.look();
    for (const path of ["HEAD", "objects/x", "refs/x", "hooks/pre-commit"])
      project.write(`x/.git/${path}`);
    project.mode("x/.git/hooks", 0o000);
    project.write("y/z", "x");
    project.mode("y", 0o000);
    const told = await project.look();
    expect(told.sort()).toEqual([
      "x/.git cannot be accessed (EACCES)",
      "y cannot be accessed (EACCES)",
    ]);
  });

  it("may be the project's top", async () => {
    const project = new Project();
    project.write("Makefile");
    await project.look();
    project.mode("", 0o000);
    expect(await project.look()).toEqual(["./ cannot be accessed (EACCES)"]);
    project.mode("", 0o755);
    project.write("Makefile", "evil");
    expect(await project.look()).toEqual(["Makefile changed"]);
  });
});

describe("a file that cannot be read", () => {
  it("is reported, again after each change that could have hidden something", async () => {
    const project = new Project();
    project.write("Makefile");
    project.write("sub/.git/config", "[core]");
    await project.look();
    project.mode("Makefile", 0o000);
    project.mode("sub/.git/config", 0o000);
    const told = ["sub/.git changed", "Makefile cannot be accessed (EACCES)"];
    expect(await project.look()).toEqual(told);
    expect(await project.look()).toEqual([]);
    project.mode("Makefile", 0o644);
    project.write("Makefile", "evil");
    project.mode("Makefile", 0o000);
    expect(await project.look()).toEqual(["Makefile cannot be accessed (EACCES)"]);
    project.mode("Makefile", 0o644);
    expect(await project.look()).toEqual(["Makefile changed"]);
  });

  it("is not a change once it is readable again and unchanged", async () => {
    const project = new Project();
    project.write("Makefile");
    await project.look();
    project.mode("Makefile", 0o000);
    await project.look();
    project.mode("Makefile", 0o644);
    expect(await project.look()).toEqual([]);
  });
});

it("reports a directory whose path is too long to open", async () => {
  const project = new Project();
  await project.look();
  const name = "d".repeat(250);
  const cwd = process.cwd();
  // Relative, because no whole path of it can be named.
  try {
    process.chdir(project.root);
    for (let n = 0; n < 17; n++) {
      mkdirSync(name);
      process.chdir(name);
      chownSync(".", UID, UID);
    }
    writeFileSync(".envrc", "evil");
  } finally {
    process.chdir(cwd);
  }
  const told = await project.look();
  expect(told.map((line) => line.replaceAll(`${name}/`, ""))).toEqual([
    `${name} cannot be accessed (ENAMETOOLONG)`,
  ]);
});
