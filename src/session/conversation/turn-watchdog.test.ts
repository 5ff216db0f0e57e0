import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { TurnWatchdog } from "./turn-watchdog.ts";

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

function watching() {
  const told: string[] = [];
  const watchdog = new TurnWatchdog({
    silenceMs: () => 60_000,
    isWaiting: () => false,
    onSilence: (ms) => told.push(`silent for ${ms}`),
    onDeadline: () => told.push("did not end"),
  });
  return { watchdog, told };
}

describe("an interrupted turn", () => {
  it("is reported if it does not end in its time, whatever it says meanwhile", () => {
    const { watchdog, told } = watching();
    watchdog.reset();
    watchdog.expectEnd(10_000);
    vi.advanceTimersByTime(9_000);
    watchdog.reset();
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual(["did not end"]);
  });

  it("is not reported once it is over", () => {
    const { watchdog, told } = watching();
    watchdog.reset();
    watchdog.expectEnd(10_000);
    watchdog.end();
    vi.advanceTimersByTime(120_000);
    expect(told).toEqual([]);
  });
});
