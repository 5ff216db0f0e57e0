/** The engine and the image that all tests of this folder use, and sandboxes on them. */
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { SandboxOptions } from "../../src/sandbox/sandbox-plan.ts";
import { open, options, testEngine, testImage } from "./support.ts";

/** The engine that the test run was given. */
export const engine = await testEngine();

/** The product's own image. */
export const image = await testImage(engine);

/** Opens a sandbox on `root`, which is removed after the test. */
export async function sandboxOn(
  root: string,
  more: Partial<SandboxOptions> = {},
): Promise<Sandbox> {
  return open(engine, await options(image, root, more));
}
