import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { LABELS } from "../container/index.ts";
import { beginRecord, isRecorded } from "./container-record.ts";

it("recognizes the container of a host that died while making it, even after another host has begun one", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "codex-chat-record-"));
  const place = { stateDir, engine: "e", name: "codex-chat-project" };
  try {
    const died = await beginRecord(place);
    const late = { id: "1", wasStarted: false, labels: { [LABELS.token]: died.token } };
    expect(await isRecorded(place, late)).toBe(true);

    const next = await beginRecord(place);

    expect(await isRecorded(place, late)).toBe(true);
    expect(await isRecorded(place, { ...late, wasStarted: true })).toBe(false);
    expect(await isRecorded(place, { ...late, labels: {} })).toBe(false);
    await next.made("2");
    expect(await isRecorded(place, late)).toBe(false);
    expect(await isRecorded(place, { ...late, id: "2" })).toBe(true);
  } finally {
    await rm(stateDir, { recursive: true });
  }
});
