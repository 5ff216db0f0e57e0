import { expect, it } from "vitest";
import { silentLog } from "../../log.ts";
import { err, ok } from "../../result.ts";
import type { Backend } from "../backend/backend.ts";
import type { LiveDocument } from "../document/live-document.ts";
import { Settings } from "../settings/settings.ts";
import { ThreadHandle } from "./thread-handle.ts";

/** A thread of a document, and an app-server that calls every thread by the same name. */
function setUp(thread: string | undefined, busy = 0) {
  const begun: string[] = [];
  const asked: string[] = [];
  const meta: { thread?: string } = thread === undefined ? {} : { thread };
  const document = {
    meta,
    standing: {},
    text: () => "",
    setMeta: (more: object) => Object.assign(meta, more),
  } as unknown as LiveDocument;
  const request = async (method: string) => {
    asked.push(method);
    if (method === "thread/resume" && asked.length <= busy)
      return err({ kind: "thread_busy", message: "Busy." });
    return ok({ thread: { id: "forged" }, model: "m", instructionSources: [] });
  };
  const handle = new ThreadHandle(document, {
    root: "/project",
    settings: Settings.parse({ state_dir: "/nowhere" }),
    log: silentLog,
    sandbox: { projectDir: "/nowhere/p" },
    changes: { news: () => undefined, newsTaken: () => {} },
    network: { grants: { begin: async (id) => void begun.push(id) }, expectTurn: () => {} },
    backend: async () => ok({ client: { request } } as unknown as Backend),
  });
  return { begun, asked, handle, load: () => handle.load(new AbortController().signal, () => {}) };
}

it("a thread starts without permissions that its id has in another conversation", async () => {
  const { begun, asked, load } = setUp(undefined);
  expect(await load()).toMatchObject({ ok: true, value: { threadId: "forged" } });
  expect(asked).toEqual(["thread/start"]);
  expect(begun).toEqual(["forged"]);
});

it("a thread keeps its permissions when it is resumed by its own id", async () => {
  const { begun, asked, load } = setUp("mine");
  expect(await load()).toMatchObject({ ok: true, value: { threadId: "mine" } });
  // The second looks whether all of it is still there.
  expect(asked).toEqual(["thread/resume", "thread/fork"]);
  expect(begun).toEqual([]);
});

it("a thread is resumed once the app-server of a killed host has let it go", async () => {
  const { asked, load } = setUp("mine", 2);
  expect(await load()).toMatchObject({ ok: true, value: { threadId: "mine" } });
  expect(asked).toEqual(["thread/resume", "thread/resume", "thread/resume", "thread/fork"]);
});

it("a thread is let go by Codex when its conversation is closed", async () => {
  const { asked, load, handle } = setUp("mine");
  await load();
  handle.leave();
  expect(asked).toEqual(["thread/resume", "thread/fork", "thread/unsubscribe"]);
});

it("a thread is copied if the app-server of a Neovim that has closed the conversation still keeps it", async () => {
  const { asked, begun, load } = setUp("mine", Number.POSITIVE_INFINITY);
  expect(await load()).toMatchObject({ ok: true, value: { threadId: "forged" } });
  expect(asked.at(-1)).toBe("thread/fork");
  expect(begun).toEqual(["forged"]);
});
