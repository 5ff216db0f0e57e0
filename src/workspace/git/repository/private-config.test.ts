import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { privateConfig, withoutSecret } from "./private-config.ts";
import type { Repository, Setting } from "./repository.ts";

function configOf(config: readonly Setting[]): string {
  const repository: Repository = {
    gitDir: "/r/.git",
    commonDir: "/r/.git",
    format: "sha1",
    objects: ["/r/.git/objects"],
    shallow: undefined,
    config,
  };
  return privateConfig(repository, { gitDir: "/r/.git" });
}

async function readBack(text: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await execa("git", ["config", "-f", "-", "--list", "-z"], {
    input: text,
    stripFinalNewline: false,
  });
  return new Map(
    stdout.split("\0").flatMap((entry) => {
      const end = entry.indexOf("\n");
      return end < 0 ? [] : [[entry.slice(0, end), entry.slice(end + 1)] as const];
    }),
  );
}

describe("the git configuration inside", () => {
  it("has settings for contents and display, and none that run programs or reveal secrets", async () => {
    const secret = "hunter2";
    const config = await readBack(
      configOf([
        ["user.name", 'Some "One" \\ else'],
        ["core.autocrlf", "input"],
        ["remote.my.fork.url", `https://me:${secret}@example.org/x.git?token=${secret}`],
        ["remote.my.fork.fetch", "+refs/heads/*:refs/remotes/fork/*"],
        ["remote.odd.url", `ext::sh -c ${secret}`],
        ["remote.my.fork.uploadpack", secret],
        ["core.fsmonitor", secret],
        ["core.sshcommand", secret],
        ["core.hookspath", secret],
        ["core.pager", secret],
        ["core.editor", secret],
        ["core.gitproxy", secret],
        ["alias.x", `!${secret}`],
        ["diff.external", secret],
        ["diff.x.textconv", secret],
        ["filter.x.clean", secret],
        ["filter.x.process", secret],
        ["credential.helper", secret],
        ["http.extraheader", secret],
        [`url.https://${secret}@x.insteadof`, "https://x"],
        ["include.path", secret],
        ["includeif.gitdir:/.path", secret],
        ["gpg.program", secret],
        ["sequence.editor", secret],
        ["merge.x.driver", secret],
        ["uploadpack.packobjectshook", secret],
        ["user.signingkey", secret],
        ["sendemail.smtppass", secret],
      ]),
    );
    expect(Object.fromEntries(config)).toEqual({
      "user.name": 'Some "One" \\ else',
      "core.autocrlf": "input",
      "remote.my.fork.url": "https://example.org/x.git",
      "remote.my.fork.fetch": "+refs/heads/*:refs/remotes/fork/*",
      "core.repositoryformatversion": "0",
      "core.bare": "false",
      "core.checkstat": "minimal",
      "core.trustctime": "false",
      "core.excludesfile": "/r/.git/info/host-excludes",
      "core.attributesfile": "/r/.git/info/host-attributes",
      "gc.auto": "0",
      "maintenance.auto": "false",
    });
  });

  it("preserves values with any characters", async () => {
    const text = fc
      .string({ unit: "grapheme", maxLength: 20 })
      .filter((value) => !value.includes("\0"));
    await fc.assert(
      fc.asyncProperty(text, async (name) => {
        fc.pre(!name.includes("\r"));
        const config = await readBack(configOf([["user.name", name]]));
        expect(config.get("user.name")).toBe(name);
        expect(config.size).toBe(9);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ["https://user:pass@example.org/a?x=1#y", "https://example.org/a"],
    ["https://example.org/a@b", "https://example.org/a@b"],
    ["ssh://git@example.org:22/a", "ssh://example.org:22/a"],
    ["git@example.org:a/b.git", "git@example.org:a/b.git"],
    ["../other", "../other"],
    ["ext::sh -c x", undefined],
    ["sync+https://x@y/", undefined],
  ])("shows the address %s as %s", (url, shown) => {
    expect(withoutSecret(url)).toBe(shown);
  });
});
