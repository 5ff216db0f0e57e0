import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { ResponseTimer } from "./response-timer.ts";

/** Blocks this process, as if a signal had suspended it. */
function stopFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function watch() {
  const told: string[] = [];
  const timer = new ResponseTimer({
    silenceMs: 60,
    idleMs: 150,
    onSilence: () => told.push("silent"),
    onIdle: () => told.push("idle"),
  });
  timer.start();
  return { told, watch: timer };
}

it("reports a silence and then idleness, once each", async () => {
  const { told } = watch();
  await expect.poll(() => told, { interval: 5 }).toEqual(["silent", "idle"]);
  await sleep(200);
  expect(told).toEqual(["silent", "idle"]);
});

it("does not count a pause of this process as silence, and continues watching", async () => {
  const { told } = watch();
  stopFor(1_400);
  await sleep(0);
  expect(told).toEqual([]);
  await expect.poll(() => told, { interval: 5 }).toEqual(["silent", "idle"]);
});
