import { tmpdir } from "node:os";
import { join } from "node:path";
import { ok, type Result } from "../../src/result.ts";
import { findEngine } from "../../src/sandbox/engine/engine.ts";
import type { SandboxError } from "../../src/sandbox/error.ts";
import { ensureImage, findCodexPackage, type ImageOptions } from "../../src/sandbox/image/index.ts";
import { checkout, type Ready, toStderr } from "../setup/index.ts";

/** How the product's image is built for tests: from that base, on an engine without a bridge. */
export async function imageOptions(
  baseImage: string | undefined,
): Promise<Result<ImageOptions, SandboxError>> {
  const codex = await findCodexPackage(import.meta.url);
  if (!codex.ok) return codex;
  return ok({
    containerDir: join(checkout, "container"),
    codex: codex.value,
    stateDir: join(tmpdir(), `codex-chat-test-${process.geteuid?.()}`),
    buildNetwork: "host",
    ...(baseImage === undefined ? {} : { baseImage }),
  });
}

/**
 * Builds the sandbox's image, which takes a minute: the first tests would each wait for it, and some no
 * longer than that. Of a failure only a line is printed, since the tests report it.
 */
export async function buildImage({ engine, baseImage }: Ready, signal: AbortSignal): Promise<void> {
  const found = engine === undefined ? undefined : await findEngine({ env: {}, host: engine.host });
  const options = await imageOptions(baseImage);
  if (found?.ok !== true || !options.ok) return;
  const image = await ensureImage(found.value, { ...options.value, signal });
  if (!image.ok) toStderr(`the sandbox's image cannot be built: ${image.error.message}`);
}
