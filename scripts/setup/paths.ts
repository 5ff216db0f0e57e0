import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownUid } from "../../src/own-user.ts";

/** The checkout. Bundles lie in `dist/scripts/`, sources in `scripts/setup/`: both are two below. */
export const checkout = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Where everything that the set-up fetches and builds is found again. Safe to delete. */
export const cacheDir = join(checkout, ".cache");

/** The locks of this user, who may share the checkout with others. */
export const lockDir = join(cacheDir, `locks-${ownUid()}`);
