import { lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeNew } from "../../atomic-write.ts";
import { pictureStem } from "../../chat/format/head/index.ts";
import type { Item, ServerNotification } from "../../codex/messages/index.ts";
import { err, ok, type Result } from "../../result.ts";
import { type Failure, failureOf } from "../failure.ts";

/** The largest picture that is kept. */
const MAX_BYTES = 32 * 1024 ** 2;
/** SECURITY: the most of one conversation, and of one query; a program inside may forge any number. */
const MAX_PICTURES = 1000;
const MAX_OF_QUERY = 20;
const MAX_ALL_BYTES = 200 * 1024 ** 2;

/** The first bytes of pictures, in hexadecimal digits. */
const KINDS: readonly { readonly ending: string; readonly magic: RegExp }[] = [
  { ending: "png", magic: /^89504e470d0a1a0a/ },
  { ending: "jpg", magic: /^ffd8ff/ },
  { ending: "webp", magic: /^52494646.{8}57454250/ },
  { ending: "gif", magic: /^474946383[79]61/ },
];

/** The pictures of one conversation; bounds their number and size. */
export class Pictures {
  #stem: string | undefined;
  /** The number of the next picture, and the size of the earlier ones. */
  #next = 1;
  #bytes = 0;
  #ofQuery = 0;
  #isSaid = false;

  /** The user has asked for something. */
  renew(): void {
    this.#ofQuery = 0;
    this.#isSaid = false;
  }

  /** As `withSavedImage`, for a conversation at this path. */
  keep(
    told: ServerNotification,
    { path, stateDir }: { readonly path: string; readonly stateDir?: string },
  ): ReturnType<typeof withSavedImage> {
    return withSavedImage(told, (base64) => this.save(path, base64, stateDir));
  }

  /** As `saveImage`; undefined for a picture that is not kept, once the user knows that. */
  save(
    conversation: string,
    base64: string,
    stateDir?: string,
  ): Result<string, Failure> | undefined {
    this.#look(conversation);
    const size = Math.floor((base64.length * 3) / 4);
    const limit =
      this.#ofQuery >= MAX_OF_QUERY
        ? `More than ${MAX_OF_QUERY} pictures for one message are not kept.`
        : this.#bytes + size > MAX_ALL_BYTES
          ? `More than ${MAX_ALL_BYTES / 1024 ** 2} MiB of pictures are not kept of one conversation.`
          : undefined;
    if (limit === undefined) {
      this.#ofQuery++;
      const saved = saveImage(conversation, base64, stateDir, this.#next);
      if (!saved.ok) return saved;
      this.#next = numberOf(saved.value) + 1;
      this.#bytes += size;
      return saved;
    }
    if (this.#isSaid) return undefined;
    this.#isSaid = true;
    return err({ kind: "image", message: limit });
  }

  /** Counts the pictures that are there already. */
  #look(conversation: string): void {
    const stem = pictureStem(conversation);
    if (stem === this.#stem) return;
    this.#stem = stem;
    this.#next = 1;
    this.#bytes = 0;
    const dir = join(dirname(conversation), "images");
    try {
      for (const name of readdirSync(dir)) {
        const number = name.startsWith(`${stem}-`) ? numberOf(name.slice(stem.length)) : 0;
        if (number === 0) continue;
        this.#next = Math.max(this.#next, number + 1);
        this.#bytes += lstatSync(join(dir, name)).size;
      }
    } catch {
      // There is none yet; any other obstacle is reported when a picture is written.
    }
  }
}

/** The number in a picture's name; 0 if it has none. */
function numberOf(name: string): number {
  return Number(/-(\d{1,6})\.[a-z]+$/.exec(name)?.[1] ?? 0);
}

/**
 * Writes a picture beside the conversation, under a name that nothing has, and gives its path from
 * there, such as `images/2026-11-21-a-logo-1.png`. Written at once, so that events keep their order.
 *
 * SECURITY: the bytes come from the model, or from a program that pretends. Nothing that the agent names
 * is read or written: neither a path nor an ending of its choice. Links on the way are refused.
 */
export function saveImage(
  conversation: string,
  base64: string,
  stateDir?: string,
  from = 1,
): Result<string, Failure> {
  if (base64.length > (MAX_BYTES * 4) / 3 + 4)
    return err({
      kind: "image",
      message: `A picture of more than ${MAX_BYTES} bytes is not kept.`,
    });
  const bytes = Buffer.from(base64, "base64");
  const head = bytes.subarray(0, 16).toString("hex");
  const kind = KINDS.find(({ magic }) => magic.test(head));
  if (kind === undefined)
    return err({
      kind: "image",
      message: "The generated picture is not a PNG, JPEG, WebP or GIF.",
    });
  const dir = join(dirname(conversation), "images");
  const stem = pictureStem(conversation);
  try {
    for (let n = from; n <= MAX_PICTURES; n += 1) {
      const name = `${stem}-${n}.${kind.ending}`;
      try {
        writeNew(join(dir, name), bytes, { trusted: stateDir, make: true });
        return ok(`images/${name}`);
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
      }
    }
    throw new Error(`the conversation has ${MAX_PICTURES} pictures already`);
  } catch (thrown) {
    return err(failureOf("image", "The picture was not saved", thrown));
  }
}

/**
 * A finished picture's notification, with the place where it is kept instead of the one that the agent
 * names; every other notification unchanged.
 */
export function withSavedImage(
  notification: ServerNotification,
  save: (base64: string) => Result<string, Failure> | undefined,
): { readonly notification: ServerNotification; readonly problem?: string } {
  if (notification.method !== "item/completed") return { notification };
  const { item } = notification.params;
  if (item.type !== "imageGeneration") return { notification };
  const saved = item.result == null ? undefined : save(item.result);
  const kept: Item = { ...item, result: null, savedPath: saved?.ok === true ? saved.value : null };
  return {
    notification: { ...notification, params: { ...notification.params, item: kept } },
    ...(saved === undefined || saved.ok ? {} : { problem: saved.error.message }),
  };
}
