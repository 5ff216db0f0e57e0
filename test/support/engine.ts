/**
 * The engine that tests run containers on. `npm test` names one in the environment; a test that
 * is run by itself (`npx vitest run test/sandbox`) uses the checkout's private one.
 */

import { setUpBaseImage } from "../../scripts/setup/engine/index.ts";
import {
  type PrivateEngine,
  type UsedEngine,
  useEngine,
  usePrivateEngine,
} from "../../scripts/setup/index.ts";

/** An engine, and the local base image for the sandbox's where it cannot pull one. */
export type TestEngine = UsedEngine & {
  readonly baseImage: string | undefined;
} & AsyncDisposable;

/** Gives the engine that all tests share; close it when the test file ends. */
export async function testEngine(): Promise<TestEngine> {
  const host = process.env["CODEX_CHAT_ENGINE"];
  const given = process.env["CODEX_CHAT_BASE_IMAGE"];
  if (host !== undefined) {
    const close = async () => {};
    return { host, isPrivate: false, baseImage: given, close, [Symbol.asyncDispose]: close };
  }
  const engine = await useEngine();
  const baseImage = given ?? (engine.isPrivate ? await setUpBaseImage(engine.host) : undefined);
  return { ...engine, baseImage, [Symbol.asyncDispose]: engine.close };
}

/**
 * Gives an engine of the test's own, which it may kill or give weaker runtimes. Engines of one
 * name share images over runs, and cannot be told apart while they run: name it for the test.
 */
export async function ownEngine(
  options: { readonly name: string } & Omit<
    NonNullable<Parameters<typeof usePrivateEngine>[0]>,
    "name"
  >,
): Promise<PrivateEngine & { readonly baseImage: string }> {
  const engine = await usePrivateEngine({ ...options, name: `engine-${options.name}` });
  return { ...engine, baseImage: await setUpBaseImage(engine.host) };
}
