import type * as fs from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isAlive, ownOwner } from "../../src/process/process-identity.ts";
import { liveLeases, writeLease } from "../../src/sandbox/locks/lease.ts";
import { removeSandbox } from "../../src/sandbox/ownership/container-lookup.ts";
import { beginRecord, isRecorded } from "../../src/sandbox/ownership/container-record.ts";
import { sweep } from "../../src/sandbox/ownership/sweep.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { kill, startHost } from "./other-host.ts";
import {
  exists,
  open,
  options,
  refused,
  repository,
  SLOW,
  scratchDir,
  testEngine,
  testImage,
} from "./support.ts";

/** The call of node:fs/promises that fails, of which path, and how. */
type Fault = { readonly call: string; readonly path: RegExp; readonly code: string };

const injected = vi.hoisted(() => ({ fault: undefined as Fault | undefined }));

// As root, whom the tests may run as, no permission fails; a disk that fails cannot be had either.
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof fs>();
  const failing = (call: "lstat" | "open" | "readFile" | "readdir") =>
    ((path: unknown, ...rest: unknown[]) => {
      const { fault } = injected;
      if (fault?.call === call && fault.path.test(String(path)))
        return Promise.reject(
          Object.assign(new Error(`${fault.code}: injected, ${call} '${String(path)}'`), {
            code: fault.code,
          }),
        );
      return (real[call] as (...all: unknown[]) => unknown)(path, ...rest);
    }) as never;
  return {
    ...real,
    lstat: failing("lstat"),
    open: failing("open"),
    readFile: failing("readFile"),
    readdir: failing("readdir"),
  };
});

afterEach(() => {
  injected.fault = undefined;
});

/** The calls by which a record is looked at. */
const OF_RECORD: readonly Fault[] = [
  { call: "lstat", path: /\/containers$/, code: "EACCES" },
  { call: "open", path: /\/containers\/.*\.json$/, code: "EIO" },
  { call: "open", path: /\/containers\/.*\.json$/, code: "EMFILE" },
];

/** The calls by which leases are looked at. */
const OF_LEASES: readonly Fault[] = [
  { call: "readdir", path: /\/leases$/, code: "EACCES" },
  { call: "readFile", path: /\/leases\/\d+-\d+$/, code: "EIO" },
];

describe("state that cannot be read", () => {
  it.each(OF_RECORD)("does not count as a missing record: $code of $call", async (fault) => {
    const place = { stateDir: await scratchDir("state"), engine: "e1", name: "codex-chat-app-1" };
    const { made } = await beginRecord(place);
    await made("id-1");
    injected.fault = fault;
    await expect(
      isRecorded(place, { id: "id-1", labels: {}, wasStarted: true }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`containers.* cannot be read \\(${fault.code}\\)`)),
      fix: expect.stringContaining("chmod u+rwX"),
    });
    injected.fault = undefined;
    expect(await isRecorded(place, { id: "id-1", labels: {}, wasStarted: true })).toBe(true);
  });

  it.each(OF_LEASES)("does not count as missing leases: $code of $call", async (fault) => {
    const stateDir = await scratchDir("state");
    const lease = { container: "codex-chat-app-1", engine: "e1" };
    await writeLease(stateDir, { pid: 4_000_000, startTime: "1", scope: "a/b/c" }, lease);
    injected.fault = fault;
    await expect(liveLeases(stateDir, lease)).rejects.toThrow(`cannot be read (${fault.code})`);
  });

  it("does not count as a dead process", async () => {
    const own = await ownOwner();
    injected.fault = { call: "readFile", path: /^\/proc\/\d+\/stat$/, code: "EMFILE" };
    expect(await isAlive(own.pid, `${own.startTime}1`)).toBe(true);
    injected.fault = undefined;
    expect(await isAlive(own.pid, `${own.startTime}1`)).toBe(false);
  });
});

describe("a container whose record cannot be read", SLOW, async () => {
  const engine = await testEngine();
  const image = await testImage(engine);

  it.each(OF_RECORD)(
    "is neither joined nor replaced nor removed: $code of $call",
    async (fault) => {
      const how = await options(image, await repository());
      const one = await open(engine, how);
      injected.fault = fault;
      const error = refused(
        await openSandbox(engine, { ...how, image: { ...image, id: "other" } }),
      );
      expect(error).toMatchObject({
        kind: "state_unwritable",
        message: expect.stringContaining(`cannot be read (${fault.code})`),
        fix: expect.stringContaining(`${join(how.stateDir, "containers")}`),
      });
      await expect(removeSandbox(engine, how)).rejects.toThrow(`cannot be read (${fault.code})`);
      expect(await exists(engine, one.id)).toBe(true);
      injected.fault = undefined;
      await removeSandbox(engine, how);
      expect(await exists(engine, one.id)).toBe(false);
    },
  );

  it.each([...OF_RECORD, ...OF_LEASES])(
    "is left by the sweep, which reports it: $code of $call",
    async (fault) => {
      const how = await options(image, await repository("left"));
      const { host, name } = await startHost(engine, how);
      await kill(host);
      injected.fault = fault;
      const left: string[] = [];
      expect(await sweep(engine, undefined, (why) => left.push(why))).not.toContain(name);
      expect(left.filter((line) => line.includes(name))).toEqual([
        expect.stringMatching(new RegExp(`cannot be read \\(${fault.code}\\).* chmod `)),
      ]);
      expect(await exists(engine, name)).toBe(true);
      injected.fault = undefined;
      expect(await sweep(engine)).toContain(name);
    },
  );
});
