import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { itUnlessRoot } from "../../../test/support/root.ts";
import { filesOfCommand } from "./git-commands.ts";

/** A project in a home, with scripts in `tools`; `ask` names what a command uses of it. */
async function project(name = "proj") {
  const home = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-wörds-")));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const top = join(home, name);
  await mkdir(join(top, "tools/lint"), { recursive: true });
  for (const file of ["tools/fmt", "tools/gen.js", "tools/check.py", "tools/lint/__main__.py"])
    await writeFile(join(top, file), "");
  const isInProject = (path: string) => path.startsWith(`${top}/`);
  const ask = async (command: string, env: Record<string, string> = {}) => {
    const given = command.replaceAll("TOP", top);
    const found = await filesOfCommand(given, {
      root: top,
      top,
      isInProject,
      env: { HOME: home, PATH: "/usr/bin", ...env },
    });
    return { files: found.files.map((file) => relative(top, file)), isUnclear: found.isUnclear };
  };
  return { home, top, ask };
}

describe("the files that a command of git's configuration uses", () => {
  it.each([
    ["tools/fmt", "tools/fmt"],
    ["!./tools/fmt --all", "tools/fmt"],
    ["~/proj/tools/fmt", "tools/fmt"],
    ["$HOME/proj/tools/fmt", "tools/fmt"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
    ["${HOME}/proj/tools/fmt", "tools/fmt"],
    ['"$(git rev-parse --show-toplevel)/tools/fmt"', "tools/fmt"],
    ["`git rev-parse --show-toplevel`/tools/fmt", "tools/fmt"],
    ["sh -c 'exec $PWD/tools/fmt'", "tools/fmt"],
    ["TOP/tools/fmt", "tools/fmt"],
    ["node ./tools/gen", "tools/gen.js"],
    ["python3 -O tools/check.py", "tools/check.py"],
    ["python3 -m tools.check", "tools/check.py"],
    ["python3 tools/lint", "tools/lint/__main__.py"],
    ["!cd tools && ./fmt", "tools/fmt"],
    ["env CONFIG=tools/check.py prog", "tools/check.py"],
    ["prog --config=tools/check.py", "tools/check.py"],
    ["PATH=tools:$PATH fmt", "tools/fmt"],
    ["node tools/gen", "tools/gen.js"],
    ["$WHERE/fmt", "tools/fmt"],
  ])("are found in %s", async (command, file) => {
    const { top, ask } = await project();
    expect(await ask(command, { WHERE: join(top, "tools") })).toEqual({
      files: expect.arrayContaining([file]),
      isUnclear: false,
    });
  });

  it.each([
    ["'TOP/tools/fmt'", "tools/fmt"],
    ['"TOP/tools/fmt" --all', "tools/fmt"],
    ["sh -c 'exec \"TOP/tools/fmt\"'", "tools/fmt"],
    ["'~/my (old) proj/tools/fmt'", "tools/fmt"],
    ["~/my\\ \\(old\\)\\ proj/tools/fmt", "tools/fmt"],
    ["~/'my (old) proj'/tools/fmt", "tools/fmt"],
    ["$'TOP/tools/f\\x6dt'", "tools/fmt"],
    ['"$HOME/my (old) proj/tools/fmt"', "tools/fmt"],
    ["'TOP'/tools/fmt", "tools/fmt"],
  ])("are found in %s in a directory with a blank and brackets", async (command, file) => {
    const { ask } = await project("my (old) proj");
    expect(await ask(command)).toEqual({ files: [file], isUnclear: false });
    // As a program that no shell starts.
    expect(await ask("TOP/tools/fmt")).toMatchObject({ files: [file] });
  });

  it.each([
    ["$(git rev-parse --show-toplevel 2>/dev/null)/tools/fmt", "tools/fmt"],
    ["$(git -C . rev-parse  --path-format=absolute --show-toplevel)/tools/fmt", "tools/fmt"],
    ['"$(git rev-parse --git-dir)/../tools/fmt"', "tools/fmt"],
    ["!t=$(git rev-parse --show-toplevel); exec $t/tools/fmt", "tools/fmt"],
    ["!for s in tools/fmt tools/x; do $s; done", "tools/fmt"],
    ["'tools dir/x y'", "tools dir/x y"],
    ["tools\\ dir/x\\ y", "tools dir/x y"],
    ["sed -ftools/fmt", "tools/fmt"],
    ["sed -nftools/fmt", "tools/fmt"],
    ["curl -d @tools/fmt", "tools/fmt"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
    ["${F:-tools/fmt}", "tools/fmt"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
    ['"${F-"tools/fmt"}" now', "tools/fmt"],
    ["perl -Itools -MFmt", "tools"],
    ["python3 -mtools.check", "tools/check.py"],
    ["PYTHONPATH=tools python3 -m check", "tools"],
    ["!tools/{fmt,x}", "tools/fmt"],
    ["env -S 'node tools/gen'", "tools/gen.js"],
    ["!git -c core.pager=x bisect run sh -c 'tools/fmt'", "tools/fmt"],
    ["!git rebase -x 'node tools/gen' main", "tools/gen.js"],
    ["git submodule foreach 'node $toplevel/tools/gen'", "tools/gen.js"],
    ["ext::sh -c 'tools/fmt %S'", "tools/fmt"],
    [`python3 -c 'import sys; sys.path.insert(0, "tools"); import check'`, "tools/check.py"],
    [`node -e 'require("./tools/gen")'`, "tools/gen.js"],
    ["node --require=./tools/gen x", "tools/gen.js"],
    ["!p=$(pwd)/tools && $p/fmt", "tools/fmt"],
    ['!"$(git rev-parse --show-cdup)"tools/fmt', "tools/fmt"],
    ["git --exec-path=tools foo", "tools"],
    ["ruby -Itools:lib x", "tools"],
    ["ssh -o 'ProxyCommand tools/fmt %h'", "tools/fmt"],
    ["!git ls-files | xargs -P4 tools/fmt", "tools/fmt"],
    ["nvim --cmd 'source tools/fmt'", "tools/fmt"],
    ["~/other/tools/fmt", "tools/fmt"],
    ["cd ~/other && tools/fmt", "tools/fmt"],
  ])("are found in the arguments of %s", async (command, file) => {
    const { home, top, ask } = await project();
    await mkdir(join(top, "tools dir"));
    await writeFile(join(top, "tools dir/x y"), "");
    await symlink(top, join(home, "other"));
    expect((await ask(command)).files).toContain(file);
  });

  it.each([
    '$(dirname "$0")/tools/x',
    "`some-program`/x",
    "$UNSET/fmt",
    "$UNSET",
    "sh tools/*.sh",
    "!tools/$1",
    "tools/absent --now",
    "node tools/absent",
    "~/$(some-program)/x",
    "perl -I. -MFmt",
    "!$(cat command)",
    "make fmt",
    "npm run x",
    "npx prettier",
    "sh -c 'just fmt'",
    "!cd tools && make",
    "cargo run",
    "!deno task fmt",
    "TOP",
    "sh -c '$UNSET/x'",
    "!find . -name '*.sh' -exec sh {} +",
    "!ls tools | xargs -I{} sh tools/{}",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
    '!cd "${GIT_PREFIX:-.}" && ../tools/fmt',
    "!git submodule foreach --recursive ../tools/fmt",
    "tools/wörk it",
    `${"$(".repeat(8)}x${")".repeat(8)}`,
    `!echo ${"a ".repeat(3000)}; tools/fmt`,
    "java -cp tools Main",
    "gpg --homedir tools",
  ])("are unclear in %s", async (command) => {
    const { top, ask } = await project();
    const files = "Makefile package.json justfile Cargo.toml deno.json tools/a.sh".split(" ");
    for (const file of files) await writeFile(join(top, file), "");
    expect(await ask(command)).toMatchObject({ isUnclear: true });
  });

  it("are those that a pattern matches now", async () => {
    const { top, ask } = await project();
    await writeFile(join(top, "tools/a.sh"), "");
    const found = { files: ["tools/a.sh"], isUnclear: true };
    expect(await ask("sh tools/*.sh")).toEqual(found);
    expect(await ask("~/*/tools/?.sh")).toEqual(found);
    expect(await ask("sh /etc/*.sh")).toEqual({ files: [], isUnclear: false });
  });

  it("are found through the home of a named user", async () => {
    const { ask } = await project();
    // Root's home is no part of the project.
    expect(await ask("~root/tools/fmt")).toEqual({ files: [], isUnclear: false });
  });

  it.each([
    "!cd $(git rev-parse --show-toplevel) && make",
    "TOP/tools/absent",
    "./absent --now",
    "make -C ./tools",
  ])(
    "are called unclear if the command names the project and nothing is found: %s",
    async (command) => {
      const { ask } = await project();
      expect(await ask(command)).toEqual({ files: [], isUnclear: true });
    },
  );

  it.each([
    "log --graph --format='%h %s' origin/main..HEAD",
    "!git fetch && git rebase $(git merge-base HEAD origin/main)",
    "less -FRX",
    `!echo ${"a".repeat(6000)}`,
    "ssh -i ~/.ssh/id_work",
    "code --wait",
    "store",
    "log",
    "log --oneline --graph",
    '!f() { git log "$@"; }; f',
    "delta",
    "git-lfs filter-process",
    "!gh auth git-credential",
    "!aws codecommit credential-helper $@",
    "!git push -u origin $(git branch --show-current)",
    "!git log $(git config x.remote)/main..HEAD -- $1",
    "!b=$(git branch --show-current); git push origin $b",
    '!git branch --merged | grep -v "\\*\\|main" | xargs -n 1 git branch -d',
    "!git ls-files | awk '{print $NF}' | sed 's/x$/y/' > /dev/null 2>&1",
    'git -C "$(git rev-parse --show-toplevel)" add -A',
    "!f() { case $1 in *) echo $#;; esac; }; f",
    "nvim -d",
    "less -+F -R",
    "diff-so-fancy | less --tabs=4 -RFX",
    "make",
    "!git diff --name-only --diff-filter=U | uniq | xargs $EDITOR",
    "!git worktree add ../$(basename $(pwd))-$1 $1",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a shell writes it
    '!cd -- "${GIT_PREFIX:-.}" && git ls-files',
    '!f() { test "$1" = get && echo "password=$(pass show git/x)"; }; f',
    "nvim -d $LOCAL $REMOTE $MERGED -c '$wincmd w' -c 'wincmd J'",
    "git log --format=format:'%C(bold blue)%h%C(reset) - %C(white)%s%C(reset)' --all",
    "ssh -o ControlMaster=auto -o ControlPath=/tmp/ssh-%r@%h:%p",
    "sed 's/password=.*/password=x/'",
    "vimdiff $LOCAL $REMOTE",
    'meld "$LOCAL" "$BASE" "$REMOTE" --output "$MERGED"',
  ])("do not exist in %s", async (command) => {
    const { top, ask } = await project();
    for (const dir of ["store", "code", "delta", "less", "origin"]) {
      await mkdir(join(top, dir));
      await writeFile(join(top, dir, "index.js"), "");
    }
    for (const file of ["log.ts", "git.py", "nvim.lua", "main.ts", "make.py"])
      await writeFile(join(top, file), "");
    expect(await ask(command)).toEqual({ files: [], isUnclear: false });
  });

  it("are found at a link's target, and the link makes them unclear", async () => {
    const { top, home, ask } = await project();
    await symlink("tools", join(top, "scripts"));
    expect(await ask("scripts/fmt")).toEqual({ files: ["tools/fmt"], isUnclear: true });
    // A link outside of the project is not the agent's to change.
    await symlink(join(top, "tools"), join(home, "bin"));
    expect(await ask("~/bin/fmt")).toEqual({ files: ["tools/fmt"], isUnclear: false });
  });

  itUnlessRoot("do not count as absent if their directory is closed", async () => {
    const { top, ask } = await project();
    await chmod(join(top, "tools"), 0o444);
    onTestFinished(() => chmod(join(top, "tools"), 0o755));
    await expect(ask("tools/fmt")).rejects.toThrow(/cannot be accessed \(EACCES\)/);
  });
});
