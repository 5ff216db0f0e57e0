/**
 * What only root can do stands in files named `*.root.test.ts`, which `npm test` runs as root and
 * all others as an ordinary user. An ordinary user's own run leaves it out and says so.
 */
import { it } from "vitest";
import { hasDirectfs } from "../../scripts/setup/engine/index.ts";

/** Whether this run is root's. */
const isRoot: boolean = process.getuid?.() === 0;

/** A test that needs root. */
export const itAsRoot = it.runIf(isRoot);

/** A test of what is refused to everybody but root. */
export const itUnlessRoot = it.skipIf(isRoot);

/** A test with gVisor's directfs, on an engine that only root can start. */
export const itWithDirectfs = it.runIf(hasDirectfs());
