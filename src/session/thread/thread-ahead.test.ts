import { expect, it, vi } from "vitest";
import { err, ok } from "../../result.ts";
import { ThreadAhead } from "./thread-ahead.ts";

type Client = Parameters<ThreadAhead["begin"]>[0];
const params = { cwd: "/p", sandbox: "danger-full-access", approvalPolicy: "never" } as const;

/** A client that starts threads with the ids 1, 2 and so on, or fails. */
function client(fails = false) {
  let count = 0;
  const request = vi.fn(async () =>
    fails ? err({ kind: "closed", message: "It ended." }) : ok({ thread: { id: `${++count}` } }),
  );
  return { request } as unknown as Client & { readonly request: typeof request };
}

it("a thread that was started ahead is handed over once", async () => {
  const [ahead, codex] = [new ThreadAhead(), client()];
  ahead.begin(codex, params);
  expect(await ahead.take(codex, params)).toMatchObject({ thread: { id: "1" } });
  expect(await ahead.take(codex, params)).toBeUndefined();
  expect(codex.request).toHaveBeenCalledTimes(1);
});

it("no thread is started ahead while an equal one waits", async () => {
  const [ahead, codex] = [new ThreadAhead(), client()];
  ahead.begin(codex, params);
  ahead.begin(codex, { ...params });
  expect(codex.request).toHaveBeenCalledTimes(1);
});

it("a thread that was started ahead is not used with a newer app-server, or with other parameters", async () => {
  const [ahead, codex] = [new ThreadAhead(), client()];
  ahead.begin(codex, params);
  expect(await ahead.take(client(), params)).toBeUndefined();
  ahead.begin(codex, params);
  expect(await ahead.take(codex, { ...params, model: "other" })).toBeUndefined();
  // What was not taken is not offered again.
  expect(await ahead.take(codex, params)).toBeUndefined();
});

it("another thread is started ahead if the parameters have changed meanwhile", async () => {
  const [ahead, codex] = [new ThreadAhead(), client()];
  ahead.begin(codex, params);
  ahead.begin(codex, { ...params, model: "other" });
  expect(await ahead.take(codex, { ...params, model: "other" })).toMatchObject({
    thread: { id: "2" },
  });
});

it("a thread that cannot be started ahead leaves the report of that to the turn", async () => {
  const [ahead, codex] = [new ThreadAhead(), client(true)];
  ahead.begin(codex, params);
  expect(await ahead.take(codex, params)).toBeUndefined();
});
