import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { neovims, startNeovim } from "../support/neovim.ts";

describe.each(neovims)(":checkhealth codex-chat on Neovim $name", (program) => {
  it("shows what the host finds, with its advice, and what is wrong in the configuration", async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-health-"));
    try {
      const host = join(dir, "host");
      const found = [
        { section: "Model", level: "ok", message: "a key was found", advice: [] },
        { section: "Sandbox", level: "error", message: "no engine", advice: ["start Docker"] },
      ];
      // Answers with its arguments and input too, so that the test sees what it was asked.
      await writeFile(join(dir, "found.json"), JSON.stringify(found));
      await writeFile(
        host,
        `#!/bin/sh\necho "$1" > ${dir}/asked\ncat >> ${dir}/asked\ncat ${dir}/found.json\n`,
      );
      await chmod(host, 0o755);
      await using nvim = await startNeovim({ program, config: { host_cmd: [host], modle: "x" } });
      await nvim.command("checkhealth codex-chat");
      const text = (await nvim.lines()).join("\n");
      expect(text).toMatch(/WARNING.*unknown key `modle`; did you mean `model`\?/);
      expect(text).toMatch(/codex-chat: Model[\s\S]*OK.*a key was found/);
      expect(text).toMatch(/codex-chat: Sandbox[\s\S]*ERROR.*no engine[\s\S]*start Docker/);
      const asked = await nvim.lua<string[]>("return vim.fn.readfile(...)", join(dir, "asked"));
      expect(asked[0]).toBe("--health");
      expect(JSON.parse(asked[1] ?? "")).toHaveProperty("state_dir");
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("says that Node is missing, and what to do", async () => {
    await using nvim = await startNeovim({ program, config: { node: "no-such-node" } });
    await nvim.command("checkhealth codex-chat");
    expect((await nvim.lines()).join("\n")).toMatch(/ERROR.*Node was not found as `no-such-node`/);
  });
});
