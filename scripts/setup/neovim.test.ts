import { expect, it, vi } from "vitest";
import { setUpNeovim } from "./neovim.ts";

it("takes the Neovim that the environment names, and says where it names none", async () => {
  vi.stubEnv("CODEX_CHAT_NVIM_0_12", process.execPath);
  expect(await setUpNeovim("0.12")).toBe(process.execPath);
  vi.stubEnv("CODEX_CHAT_NVIM_0_12", "/nowhere/nvim");
  await expect(setUpNeovim("0.12")).rejects.toThrow(
    "CODEX_CHAT_NVIM_0_12 names no program: /nowhere/nvim",
  );
});
