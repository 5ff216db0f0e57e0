import { expect, it } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { oldImages, removeOldImages, removeReplaced } from "./image-prune.ts";

/** A tag that a container has come to use. */
const BUSY = "codex-chat:ffffffffffff";

type FakeImage = {
  readonly Id: string;
  readonly RepoTags: string[] | null;
  readonly Size?: number;
  readonly Labels?: string[];
};

/** An engine whose answers are the test's; what it was asked to remove is in `removed`. */
function engineWith(images: readonly FakeImage[], containers: readonly object[] = []) {
  const removed: string[] = [];
  const docker = {
    listImages: async ({ filters }: { filters: string }) => {
      const { label } = JSON.parse(filters) as { label: string[] };
      return images.filter(({ Labels }) =>
        label.every((wanted) => Labels?.includes(wanted) !== false),
      );
    },
    listContainers: async () => containers,
    getImage: (tag: string) => ({
      inspect: async () => {
        const found = images.find((image) => image.Id === tag);
        if (found === undefined) throw Object.assign(new Error("none"), { statusCode: 404 });
        return found;
      },
      remove: async () => {
        if (tag === BUSY) throw Object.assign(new Error("in use"), { statusCode: 409 });
        removed.push(tag);
      },
    }),
  };
  return { engine: { docker } as unknown as Engine, removed };
}

const image = (Id: string, ...RepoTags: string[]) => ({ Id, RepoTags, Size: 10 });

it("removes unused images that belong to the plugin by their labels and all tags", async () => {
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
      {
        ...image("theirs", "codex-chat:111111111111"),
        Labels: ["codex-chat.plugin=1", "codex-chat.uid=4242"],
      },
    ],
    [{ ImageID: "used" }],
  );
  expect((await oldImages(engine, ["kept"])).map((image) => image.id)).toEqual([
    "old",
    "podman",
    "busy",
  ]);
  expect(await removeOldImages(engine, ["kept"])).toEqual({
    removed: ["codex-chat:0123456789ab", "localhost/codex-chat:aaaaaaaaaaaa"],
    bytes: 20,
  });
  expect(removed).toHaveLength(2);
});

it("removes replaced images, newest first, and none with a tag", async () => {
  const base = { Id: "base", RepoTags: [] };
  const top = { Id: "top", RepoTags: [] };
  const { engine, removed } = engineWith([base, image("kept", "codex-chat:222222222222"), top]);
  await removeReplaced(engine, ["base", "kept", "top", "gone"]);
  expect(removed).toEqual(["top", "base"]);
});
