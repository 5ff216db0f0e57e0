import { expect, it } from "vitest";
import { EventOrder } from "./event-order.ts";

it("emits a ready event after an earlier one that is not ready", async () => {
  const order = new EventOrder();
  const told: string[] = [];
  let release = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  order.emit(() => told.push("ended"), slow);
  const done = new Promise<void>((resolve) => {
    order.emit(() => told.push("started"), Promise.reject(new Error("the disk is full")));
    order.emit(resolve);
  });
  await Promise.resolve();
  expect(told).toEqual([]);
  release();
  await done;
  expect(told).toEqual(["ended", "started"]);
});
