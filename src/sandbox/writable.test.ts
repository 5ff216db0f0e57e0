import { describe, expect, it } from "vitest";
import { mayWrite } from "./writable.ts";

const bind = (target: string, readOnly = false, source = target) => ({ source, target, readOnly });

const SPEC = {
  mounts: [
    bind("/p"),
    bind("/p/hooks", true),
    bind("/p/hooks/own"),
    bind("/p/.git", false, "/state/git"),
    bind("/p/elsewhere", false, "/data"),
    bind("/state/codex-home"),
  ],
  volumes: [{ volume: "v", target: "/p/node_modules" }],
};
const GUARDED = [
  { name: "sub/.envrc", identity: "" },
  { name: "sub", isParentDir: true as const, identity: "" },
];

describe("the check whether the sandbox may write a file", () => {
  it.each([
    ["of the project", "/p/src/a.ts", true],
    ["beside a protected one", "/p/sub/a.ts", true],
    ["that is writable in what is read-only", "/p/hooks/own/a", true],
    ["that is protected", "/p/sub/.envrc", false],
    ["below what is read-only", "/p/hooks/pre-commit", false],
    ["with a name that begins like what is read-only", "/p/hooks2", true],
    ["of the agent's own git directory", "/p/.git/config", false],
    ["of another directory of the host's", "/p/elsewhere/a", false],
    ["of a volume", "/p/node_modules/a/index.js", false],
    ["outside of the project", "/state/codex-home/config.toml", false],
    ["beside the project", "/p2/a", false],
  ])("answers for a file %s: %s", (_, path, expected) => {
    expect(mayWrite(SPEC, "/p", GUARDED, path)).toBe(expected);
  });

  it("denies it if all of the project is read-only", () => {
    expect(mayWrite({ mounts: [bind("/p", true)] }, "/p", [], "/p/a")).toBe(false);
  });
});
