import { execa } from "execa";
import { expect, it } from "vitest";
import { withUmask } from "./umask.ts";

it("runs a command with another umask than the container's, and leaves its arguments unchanged", async () => {
  const [program, ...args] = withUmask(["sh", "-c", 'umask; echo "$1"', "x", `a "b" $c`], 0o077);
  expect((await execa(program, args)).stdout).toBe('0077\na "b" $c');
});

it("leaves a command unchanged if the umask is that of containers", () => {
  expect(withUmask(["true"], 0o022)).toEqual(["true"]);
});
