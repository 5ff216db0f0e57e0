import { execa } from "execa";
import { expect } from "vitest";
import { repository } from "../support/neovim.ts";
import { itAsRoot } from "../support/root.ts";

itAsRoot(
  "the tour shows commands and an edit that were made in the sandbox",
  async () => {
    const args = ["scripts/run.mjs", "try", "--", "Hello?"];
    const tour = await execa(process.execPath, args, {
      cwd: repository,
      reject: false,
      stdin: "ignore",
      timeout: 150_000,
    });
    expect(tour.stdout).toContain("**Added** `codex-chat-tour.sh`");
    expect(tour.stdout).toContain("**Ran** `sh codex-chat-tour.sh` · exit 0");
    expect(tour.stdout).not.toContain("**Failed**");
    expect(tour.exitCode).toBe(0);
  },
  180_000,
);
