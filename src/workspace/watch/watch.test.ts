import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "../../../test/support/watched-project.ts";
import { changesOf } from "./changes.ts";

const WATCHED = `
  .envrc sub/dir/.envrc .nvim.lua .exrc .husky/pre-commit .husky/_/h .vscode/tasks.json
  sub/.vscode/settings.json .idea/workspace.xml .codex/config.toml
  .agents/skills/a/SKILL.md .mcp.json .pre-commit-config.yaml
  .devcontainer/devcontainer.json Makefile sub/rules.mk justfile Taskfile.yml
  .gitattributes sub/.gitattributes .gitmodules .github/workflows/ci.yml .gitlab-ci.yml
  .circleci/config.yml lefthook.yml Dockerfile docker/app.Dockerfile
  docker-compose.dev.yml build.rs crates/a/build.rs tests/conftest.py setup.py
  pyproject.toml .npmrc .yarnrc.yml .yarn/releases/yarn-9.cjs .cargo/config.toml gradlew
  gradle/wrapper/gradle-wrapper.jar .bazelrc tools/bazel .tool-versions mise.toml
  Vagrantfile .eslintrc.js vite.config.ts packages/a/webpack.config.js jest.config.cjs
  .luarc.json .luacheckrc AGENTS.md plugin/evil.lua
`
  .trim()
  .split(/\s+/);

describe("a file that the host runs", () => {
  it.each(WATCHED)("is reported if %s is created, changed or removed", async (path) => {
    const project = new Project();
    expect(await project.told(() => project.write(path, "one"))).toEqual([`${path} created`]);
    expect(await project.told(() => project.write(path, "two"))).toEqual([`${path} changed`]);
    expect(await project.told(() => rmSync(join(project.root, path)))).toEqual([`${path} removed`]);
  });

  it("is not reported for an ordinary change", async () => {
    const project = new Project();
    project.write("Makefile", "all:");
    const told = await project.told(() => {
      for (const path of ["src/a.ts", "README.md", "a.lua", "makefile.md", "x.envrc", "envrc"])
        project.write(path, "text");
      project.write("Makefile", "all:");
      project.write("deep/er/bin/tool", "");
      chmodSync(join(project.root, "deep/er/bin/tool"), 0o755);
      symlinkSync("../src/a.ts", join(project.root, "deep/link"));
    });
    expect(told).toEqual([]);
  });

  it.each(["env", "packages/a/.venv", "venv", ".tox/py311"])(
    "is reported in a virtual environment at %s, but not among its installed packages",
    async (env) => {
      const project = new Project();
      const installed = `${env}/lib/python3.13/site-packages`;
      for (const path of ["pyvenv.cfg", "bin/activate", "bin/pytest"])
        project.write(`${env}/${path}`);
      project.write(`${installed}/a/setup.py`);
      const told = await project.told(() => {
        project.write(`${env}/bin/activate`, "evil");
        project.write(`${env}/bin/pytest`, "evil");
        project.write(`${env}/bin/ls`, "evil");
        project.write(`${installed}/evil.pth`);
        project.write(`${installed}/a/setup.py`, "other");
        project.write(`${installed}/a/Makefile`);
      });
      expect(told.sort()).toEqual([
        `${env}/bin/activate changed`,
        `${env}/bin/ls created`,
        `${env}/bin/pytest changed`,
        `${installed}/evil.pth created`,
      ]);
    },
  );

  it("may be named by the user, or excluded", async () => {
    const project = new Project();
    project.own = ["deploy/*.sh", "/run/", "!vite.config.*"];
    const told = await project.told(() => {
      for (const path of ["deploy/a.sh", "x/deploy/b.sh", "deploy/c.py", "run/d/e", "x/run/f"])
        project.write(path);
      project.write("vite.config.ts");
      project.write("vitest.config.ts");
    });
    expect(told.sort()).toEqual([
      "deploy/a.sh created",
      "run/d/e created",
      "vitest.config.ts created",
      "x/deploy/b.sh created",
    ]);
  });

  it("is listed by how little the user must do to run it, upper directories first", async () => {
    const project = new Project();
    const told = await project.told(() => {
      for (let n = 0; n < 20; n++) project.write(`a${n}/Makefile`);
      for (const path of ["Makefile", "z/.envrc", ".github/workflows/a.yml"]) project.write(path);
      symlinkSync("/etc", join(project.root, "zz"));
    });
    expect(told.slice(0, 5)).toEqual([
      "zz linked /etc",
      "z/.envrc created",
      ".github/workflows/a.yml created",
      "Makefile created",
      "a0/Makefile created",
    ]);
  });
});

describe("a file in which only some parts are run", () => {
  it.each([
    [
      "package.json",
      { scripts: { test: "t" } },
      { scripts: { test: "t", postinstall: "x" } },
      "script:postinstall",
    ],
    ["a/package.json", { scripts: { test: "t" } }, { scripts: { test: "evil" } }, "script:test"],
    ["package.json", { a: 1 }, { a: 1, "lint-staged": { "*": "x" } }, "hook:*"],
    ["package.json", {}, { scripts: { ["__proto__"]: "x" } }, "script:__proto__"],
    [
      "composer.json",
      { scripts: {} },
      { scripts: { "post-install-cmd": "x" } },
      "script:post-install-cmd",
    ],
    ["tsconfig.json", {}, { compilerOptions: { plugins: [{ name: "./x" }] } }, "field:plugins"],
    ["tsconfig.base.json", {}, { extends: "./evil.json" }, "field:extends"],
    ["package.json", {}, { mocha: { require: "./evil.js" } }, "configuration:mocha"],
  ])("reports which parts of %s were changed", async (path, before, after, part) => {
    const project = new Project();
    project.write(path, JSON.stringify(before));
    const told = await project.told(() => project.write(path, JSON.stringify(after)));
    expect(told).toEqual([`${path} ${part} changed`]);
  });

  it.each([
    ["package.json", { version: "1", scripts: { a: "b" } }, { version: "2", scripts: { a: "b" } }],
    [
      "tsconfig.json",
      { compilerOptions: { strict: true } },
      { compilerOptions: { strict: false } },
    ],
  ])("reports nothing about the rest of %s", async (path, before, after) => {
    const project = new Project();
    project.write(path, JSON.stringify(before));
    expect(await project.told(() => project.write(path, JSON.stringify(after)))).toEqual([]);
  });

  it("reports toolchains, tools and replacements of go.mod", async () => {
    const project = new Project();
    const text = "module a\n\ngo 1.22\n\nrequire (\n\tx.org/y v1.0.0 // indirect\n)\n";
    project.write("go.mod", text);
    const told = (more: string) => project.told(() => project.write("go.mod", text + more));
    expect(await told("require z.org/z v2.0.0\n")).toEqual([]);
    expect(await told("toolchain go1.99 // x\n")).toEqual(["go.mod line:toolchain go1.99 changed"]);
    expect(await told("replace (\n\tx.org/y => ./evil\n)\n")).toEqual([
      "go.mod line:toolchain go1.99 line:replace x.org/y => ./evil changed",
    ]);
  });

  it("is not reported if it is new and has no such parts", async () => {
    const project = new Project();
    expect(await project.told(() => project.write("package.json", "{}"))).toEqual([]);
    expect(await project.told(() => rmSync(join(project.root, "package.json")))).toEqual([]);
  });

  it.each([
    ["package.json", '{"scripts":{"a":"b"}}', '{"scripts":{"a":"b"} /* for bun */ }'],
    ["tsconfig.json", "{}", '{"compilerOptions": {\'plugins\': ["./x"]}}'],
    ["go.mod", "module a\n", "module a\n= x\n"],
  ])("counts as a whole if %s has another form", async (path, before, after) => {
    const project = new Project();
    project.write(path, before);
    expect(await project.told(() => project.write(path, after))).toEqual([`${path} changed`]);
  });

  it.each([
    [
      '{"compilerOptions": {"plugins" /* [] */ : [{"name":"./x"}], }}',
      ["tsconfig.json field:plugins changed"],
    ],
    [
      '{"compilerOptions": {"pl\\u0075gins": [{"name":"./x"}]}}',
      ["tsconfig.json field:plugins changed"],
    ],
    ['{"x": "\\"plugins\\": // []" /* "plugins" */}', []],
  ])("sees plugins in %s", async (text, expected) => {
    const project = new Project();
    project.write("tsconfig.json", "{}");
    expect(await project.told(() => project.write("tsconfig.json", text))).toEqual(expected);
  });
});

describe("a repository in the project", () => {
  const git = (cwd: string, ...args: string[]) => execFileSync("git", args, { cwd, stdio: "pipe" });

  it("is reported when it is made: plain, bare, by a pointer, at the top", async () => {
    const project = new Project();
    const told = await project.told(() => {
      git(project.root, "init", "-q", "plain");
      git(project.root, "init", "-q", "--bare", "deep/bare");
      project.write("pointer/.git", "gitdir: ../deep/bare");
      git(project.root, "init", "-q");
    });
    expect(told.sort()).toEqual([
      ".git created",
      "deep/bare/ created",
      "plain/.git created",
      "pointer/.git created",
    ]);
  });

  it("is recognized by as little as git needs", async () => {
    const project = new Project();
    const told = await project.told(() => {
      project.write("a/HEAD", "ref: refs/heads/main");
      project.write("a/commondir", "../elsewhere");
      mkdirSync(join(project.root, "b/refs"), { recursive: true });
      mkdirSync(join(project.root, "b/objects"));
      symlinkSync("refs/heads/main", join(project.root, "b/HEAD"));
    });
    expect(told).toEqual(["a/ created", "b/ created"]);
  });

  it.each([
    ["config", (dir: string) => git(dir, "config", "core.fsmonitor", "./evil")],
    ["hooks/pre-commit", (dir: string) => writeFileSync(join(dir, "hooks/pre-commit"), "x")],
    ["info/attributes", (dir: string) => writeFileSync(join(dir, "info/attributes"), "x")],
    ["commondir", (dir: string) => writeFileSync(join(dir, "commondir"), "x")],
  ])("is reported when its %s changes, and not for a commit", async (file, act) => {
    const project = new Project();
    git(project.root, "init", "-q", "sub");
    const dir = join(project.root, "sub/.git");
    expect(await project.told(() => act(dir))).toEqual([`sub/.git file:${file} changed`]);
    const commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty"];
    rmSync(join(dir, "hooks"), { recursive: true });
    rmSync(join(dir, "commondir"), { force: true });
    expect(
      await project.told(() =>
        git(join(project.root, "sub"), ...commit, "-qm", "x", "--no-verify"),
      ),
    ).toEqual([]);
  });
});

describe("the project's own repository", () => {
  const git = (cwd: string, ...args: string[]) => execFileSync("git", args, { cwd, stdio: "pipe" });

  it("that existed before belongs to the user, who may change it", async () => {
    const project = new Project();
    git(project.root, "init", "-q");
    expect(await project.told(() => git(project.root, "config", "a.b", "c"))).toEqual([]);
  });

  it("that came later is watched", async () => {
    const project = new Project();
    const first = await project.look();
    git(project.root, "init", "-q");
    const second = await project.look({ earlier: first });
    git(project.root, "config", "core.fsmonitor", "./evil");
    const third = await project.look({ earlier: second });
    expect(changesOf(first, second)).toMatchObject([{ path: ".git", change: "created" }]);
    expect(changesOf(second, third)).toMatchObject([
      { path: ".git", change: "changed", parts: [{ name: "config" }] },
    ]);
  });
});

describe("a link", () => {
  it.each([
    ["to a directory of the system", "/etc"],
    ["to a directory beside the project", "../other"],
    ["to a name that begins like the project's", "../project-2/x"],
    ["to a missing path", "/nowhere/at/all"],
    ["by way of another link", "inner/x"],
  ])("is reported if it leads out: %s", async (_, target) => {
    const project = new Project();
    symlinkSync("..", join(project.root, "inner"));
    const told = await project.told(() => symlinkSync(target, join(project.root, "out")));
    expect(told).toEqual([`out linked ${target}`]);
  });

  it("is reported if it replaces a watched file, wherever it leads", async () => {
    const project = new Project();
    project.write("Makefile", "all:");
    project.write("other", "all:");
    const told = await project.told(() => {
      rmSync(join(project.root, "Makefile"));
      symlinkSync("other", join(project.root, "Makefile"));
    });
    expect(told).toEqual(["Makefile linked other"]);
  });

  it("is never followed by the look at a project", async () => {
    const project = new Project();
    mkdirSync(join(project.base, "secret"));
    writeFileSync(join(project.base, "secret/.envrc"), "x");
    const told = await project.told(() => symlinkSync("../secret", join(project.root, "dir")));
    expect(told).toEqual(["dir linked ../secret"]);
  });
});

describe("a link to a directory of the project", () => {
  it("is reported in place of a watched one, and its target counts as if it were there", async () => {
    const project = new Project();
    project.write("staged/tasks.json");
    project.write("other/config.toml");
    project.write("other/deep/x");
    const told = await project.told(() => {
      symlinkSync("staged", join(project.root, ".vscode"));
      symlinkSync("other", join(project.root, ".cargo"));
    });
    expect(told).toEqual([
      ".vscode linked staged",
      ".vscode/tasks.json created",
      ".cargo/config.toml created",
    ]);
    const more = await project.told(() => {
      project.write("staged/tasks.json", "evil");
      project.write("other/config.toml", "evil");
    });
    expect(more).toEqual([".vscode/tasks.json changed", ".cargo/config.toml changed"]);
  });

  it("is handled if links lead in circles", async () => {
    const project = new Project();
    project.write("Makefile");
    const told = await project.told(() => {
      for (const name of [".vscode", ".husky", ".cargo"])
        symlinkSync(".", join(project.root, name));
    });
    expect(told).toContain(".vscode linked .");
    expect((await project.look()).cut).toBeUndefined();
  });

  it("makes the file that it leads to count as the watched one", async () => {
    const project = new Project();
    project.write("env/common", "one");
    symlinkSync("env/common", join(project.root, ".envrc"));
    expect(await project.told(() => project.write("env/common", "two"))).toEqual([
      ".envrc changed",
    ]);
  });
});

describe("a program", () => {
  it("is reported if it has become executable, at the top and in bin", async () => {
    const project = new Project();
    project.write("ls", "evil");
    project.write("bin/git", "evil");
    const told = await project.told(() => {
      for (const path of ["ls", "bin/git"]) chmodSync(join(project.root, path), 0o755);
    });
    expect(told).toEqual(["ls made executable", "bin/git made executable"]);
    expect(await project.told(() => project.write("ls", "other"))).toEqual([]);
  });
});
