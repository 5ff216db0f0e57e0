import { basename, dirname, join } from "node:path";
import { writeNew } from "../chat/index.ts";
import type { Item, ServerNotification } from "../codex/index.ts";
import { err, ok, type Result } from "../result.ts";
import { type Failure, failureOf } from "./failure.ts";

/** The largest picture that is kept. */
const MAX_BYTES = 32 * 1024 ** 2;
/** SECURITY: the most of one conversation; a program inside may forge any number. */
const MAX_PICTURES = 1000;

/** What pictures begin with, in hexadecimal digits. */
const KINDS: readonly { readonly ending: string; readonly magic: RegExp }[] = [
  { ending: "png", magic: /^89504e470d0a1a0a/ },
  { ending: "jpg", magic: /^ffd8ff/ },
  { ending: "webp", magic: /^52494646.{8}57454250/ },
  { ending: "gif", magic: /^474946383[79]61/ },
];

/**
 * Writes a picture beside the conversation, under a name that nothing has, and gives its path from
 * there, such as `images/2026-11-21-a-logo-1.png`. Written at once, so that events keep their order.
 *
 * SECURITY: the bytes are the model's, or of a program that pretends. Nothing that the agent names is
 * read or written: neither a path nor an ending of its choice. Links on the way are refused.
 */
export function saveImage(
  conversation: string,
  base64: string,
  stateDir?: string,
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
    return err({ kind: "image", message: "What was made is no PNG, JPEG, WebP or GIF picture." });
  const dir = join(dirname(conversation), "images");
  const stem = basename(conversation, ".md").replaceAll(/[^A-Za-z0-9_-]/g, "-");
  try {
    for (let n = 1; n <= MAX_PICTURES; n += 1) {
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
 * A finished picture's notification with the place where it is kept instead of where the agent says
 * that it is; every other notification as it is.
 */
export function withSavedImage(
  notification: ServerNotification,
  save: (base64: string) => Result<string, Failure>,
): { readonly notification: ServerNotification; readonly problem?: string } {
  if (notification.method !== "item/completed") return { notification };
  const { item } = notification.params;
  if (item.type !== "imageGeneration") return { notification };
  const saved = item.result == null ? undefined : save(item.result);
  const kept: Item = { ...item, result: null, savedPath: saved?.ok ? saved.value : null };
  return {
    notification: { ...notification, params: { ...notification.params, item: kept } },
    ...(saved === undefined || saved.ok ? {} : { problem: saved.error.message }),
  };
}
