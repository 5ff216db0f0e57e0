import { expect, it } from "vitest";
import type { Engine } from "./engine.ts";
import { oldImages, removeOldImages } from "./image-prune.ts";

/** A tag that a container has come to use. */
const BUSY = "codex-chat:ffffffffffff";

/** An engine whose answers are the test's; what it was asked to remove is in `removed`. */
function engineWith(images: readonly object[], containers: readonly object[] = []) {
  const removed: string[] = [];
  const docker = {
    listImages: async () => images,
    listContainers: async () => containers,
    getImage: (tag: string) => ({
      remove: async () => {
        if (tag === BUSY) throw Object.assign(new Error("in use"), { statusCode: 409 });
        removed.push(tag);
      },
    }),
  };
  return { engine: { docker } as unknown as Engine, removed };
}

const image = (Id: string, ...RepoTags: string[]) => ({ Id, RepoTags, Size: 10 });

it("removes images that are ours by label and by every tag, and that nothing uses", async () => {
  const { engine, removed } = engineWith(
    [
      image("old", "codex-chat:0123456789ab"),
      image("podman", "localhost/codex-chat:aaaaaaaaaaaa"),
      image("busy", BUSY),
      image("kept", "codex-chat:bbbbbbbbbbbb"),
      image("used", "codex-chat:cccccccccccc"),
      image("mine", "my-tools:latest"),
      image("both", "codex-chat:dddddddddddd", "my-tools:2"),
      image("alike", "codex-chat:latest", "example.org/codex-chat:eeeeeeeeeeee"),
      { Id: "dangling", RepoTags: null, Size: 10 },
    ],
    [{ ImageID: "used" }],
  );
  expect((await oldImages(engine, ["kept"])).map((it) => it.id)).toEqual(["old", "podman", "busy"]);
  expect(await removeOldImages(engine, ["kept"])).toEqual({
    removed: ["codex-chat:0123456789ab", "localhost/codex-chat:aaaaaaaaaaaa"],
    bytes: 20,
  });
  expect(removed).toHaveLength(2);
});
