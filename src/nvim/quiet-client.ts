import { NeovimClient } from "neovim/lib/api/client.js";
import { getLogger } from "neovim/lib/utils/logger.js";
import type { Log } from "../log.ts";

let isQuiet = false;

/**
 * The `neovim` package's client without its side effects.
 *
 * Decoding a buffer handle makes the package (5.5.0, lib/utils/logger.js) replace the functions of
 * `console`. That happens here, once, and is undone. Standard output is never touched: it carries the
 * protocol.
 */
export function quietClient(log: Log): NeovimClient {
  if (!isQuiet) {
    isQuiet = true;
    const before = { ...console };
    getLogger();
    Object.assign(console, before);
  }
  const say =
    (level: "warn" | "error") =>
    (message: unknown): void =>
      log[level]({ message }, "the neovim package says");
  const logger = {
    level: "error",
    debug: () => {},
    info: () => {},
    warn: say("warn"),
    error: say("error"),
  };
  // The type is that of winston's logger, of which the package calls only these functions.
  return new NeovimClient({ logger: logger as never });
}
