import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { isOf, processesOf } from "./processes.ts";

it("finds a user's processes, and no others", async () => {
  const child = spawn("sleep", ["4711"]);
  await once(child, "spawn");
  onTestFinished(() => void child.kill("SIGKILL"));
  const uid = process.getuid?.() ?? -1;
  expect(await processesOf(uid)).toEqual(expect.arrayContaining([process.pid, child.pid]));
  expect(await processesOf(uid + 1_234_567)).toEqual([]);
});

it.each([
  ["Name:\tUid:\t7\t\nState:\tS (sleeping)\nUid:\t1000\t0\t0\t0\n", true],
  ["State:\tR (running)\nUid:\t10001\t1000\t1000\t1000\n", false],
  ["State:\tZ (zombie)\nUid:\t1000\t1000\t1000\t1000\n", false],
  ["", false],
])("reads the real uid and whether it runs: %j", (status, expected) => {
  expect(isOf(status, 1000)).toBe(expected);
});
