import { NeovimClient } from "neovim/lib/api/client.js";
import { getLogger } from "neovim/lib/utils/logger.js";
import type { Log } from "../log.ts";

let isQuiet = false;

/**
 * The `neovim` package's client without its side effects.
 *
 * Decoding a buffer handle makes the package (5.5.0, lib/utils/logger.js) replace the functions of
 * `console`; that is made to happen here, once, and undone. Standard output is never touched: it is
 * the protocol.
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
  // The declared logger is winston's, of which the package calls only these.
  return new NeovimClient({ logger: logger as never });
}
