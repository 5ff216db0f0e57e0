import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownUid } from "../../src/own-user.ts";

/** The checkout: two levels above this file, and above its bundle in `dist/scripts/`. */
export const checkout = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Where the set-up keeps everything that it fetches and builds. Safe to delete. */
export const cacheDir = join(checkout, ".cache");

/** The locks of this user, who may share the checkout with others. */
export const lockDir = join(cacheDir, `locks-${ownUid()}`);
