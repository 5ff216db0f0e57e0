import { expect, it } from "vitest";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import { letGoTurnHooks } from "./let-go.ts";

it("goes on while the rest is done, and is waited for at the end", async () => {
  let settle: (done: Result<void, Failure>) => void = () => {};
  const [awaited, begun] = letGoTurnHooks(
    () =>
      new Promise((resolve) => {
        settle = resolve;
      }),
  );
  const place = { threadId: "t", path: "/chats/a.md" };
  expect(await begun.after(place)).toEqual([]);
  const events = awaited.after(place);
  settle(err({ kind: "no", message: "It failed.", fix: "Do this." }));
  expect(await events).toEqual([{ type: "note", text: "It failed. Do this.", once: true }]);

  // One that did not begin has nothing to wait for.
  expect(await awaited.after(place)).toEqual([]);
  await begun.after(place);
  settle(ok());
  expect(await awaited.after(place)).toEqual([]);
});
