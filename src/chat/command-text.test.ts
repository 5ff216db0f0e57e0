import { describe, expect, it } from "vitest";
import { commandSummary, unwrapShell } from "./command-text.ts";

describe("unwrapShell", () => {
  it.each([
    ["/bin/bash -lc 'ls -la'", "ls -la"],
    ["/bin/bash -lc ls", "ls"],
    ["/bin/bash -lc \"sed -n '1,20p' a.ts\"", "sed -n '1,20p' a.ts"],
    ["/bin/bash -lc 'echo '\"'\"'hi'\"'\"''", "echo 'hi'"],
    ['bash -c "echo \\"\\$HOME\\""', 'echo "$HOME"'],
    ["/usr/bin/zsh -lc 'a\nb'", "a\nb"],
  ])("shows the script of %s", (command, script) => {
    expect(unwrapShell(command)).toBe(script);
  });

  it.each([
    "ls -la",
    "/bin/bash -lc 'unclosed",
    "/bin/bash -lc 'a' extra",
    "/bin/bash -lc 'a'; rm -rf /",
    '/bin/bash -lc "$(evil)"',
    "/bin/bash -x 'a'",
    "python3 -c 'print(1)'",
    "",
  ])("leaves %s unchanged", (command) => {
    expect(unwrapShell(command)).toBe(command);
  });
});

describe("commandSummary", () => {
  const base = { cwd: "/p", exitCode: 0, durationMs: 312 } as const;

  it("shows the first of several lines and how the command ended", () => {
    const summary = commandSummary({ ...base, phase: "ran", script: "cat <<E\na\nE" }, "/p");
    expect(summary).toBe("**Ran** `cat <<E …` · exit 0 · 0.3 s");
  });

  it("fences backticks in the command", () => {
    const summary = commandSummary(
      { ...base, phase: "failed", script: "echo `date`", exitCode: 2 },
      "/p",
    );
    expect(summary).toBe("**Failed** `` echo `date` `` · exit 2 · 0.3 s");
  });

  it("names the directory if it is not the project's", () => {
    const summary = commandSummary({ ...base, phase: "ran", script: "ls", cwd: "/p/sub" }, "/p");
    expect(summary).toBe("**Ran** `ls` in `sub` · exit 0 · 0.3 s");
  });
});
