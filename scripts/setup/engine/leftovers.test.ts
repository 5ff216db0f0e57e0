import { expect, it } from "vitest";
import { parseMounts } from "./leftovers.ts";

it("finds an engine's mounts, spaces and all, and nobody else's", () => {
  const mounts = [
    "overlay / overlay rw 0 0",
    "tmpfs /tmp/codex-chat-0-1 tmpfs rw 0 0",
    "nsfs /tmp/codex-chat-0-1/exec/netns/default nsfs rw 0 0",
    "nsfs /tmp/codex-chat-0-12/exec/netns/default nsfs rw 0 0",
    "overlay /home/a\\040b/.cache/engine/data/overlay2/x/merged overlay rw 0 0",
    "shm /home/a\\040b/.cache/engine/data/overlay2/x/merged/dev/shm tmpfs rw 0 0",
    "",
  ].join("\n");
  expect(parseMounts(mounts, ["/tmp/codex-chat-0-1", "/home/a b/.cache/engine"])).toEqual([
    "/home/a b/.cache/engine/data/overlay2/x/merged/dev/shm",
    "/home/a b/.cache/engine/data/overlay2/x/merged",
    "/tmp/codex-chat-0-1/exec/netns/default",
  ]);
});
