import { describe, expect, it } from "vitest";
import { LiveSettings, parseSettings } from "./live-settings.ts";
import { Settings } from "./settings.ts";

const settings = (allow: readonly string[]) => ({ state_dir: "/nowhere", network: { allow } });
const services = (count: number) => Array.from({ length: count }, (_, n) => `localhost:${n + 1}`);

describe("services of this machine in network.allow", () => {
  it("are limited to the number that the relay offers", () => {
    expect(parseSettings(settings(services(32))).ok).toBe(true);
    expect(parseSettings(settings(services(33)))).toMatchObject({
      error: { message: expect.stringContaining("more than 32 services of this machine") },
    });
  });

  it("restart the sandbox when they change, unlike other hosts", () => {
    const live = new LiveSettings(Settings.parse(settings(["npm"])));
    live.start();
    live.take(parseSettings(settings(["npm", "example.org"])));
    expect(live.isStale).toBe(false);
    live.take(parseSettings(settings(["npm", "[::1]:5173"])));
    expect(live.isStale).toBe(true);
  });
});

describe("approvals", () => {
  it("restart the sandbox when they become untrusted, as the message about them says, and not otherwise", () => {
    const live = new LiveSettings(Settings.parse({ state_dir: "/nowhere" }));
    live.start();
    live.take(parseSettings({ state_dir: "/nowhere", approvals: "never" }));
    expect(live.isStale).toBe(false);
    live.take(parseSettings({ state_dir: "/nowhere", approvals: "untrusted" }));
    expect(live.isStale).toBe(true);
  });
});
