import type { ChatEvent } from "../../chat/index.ts";
import { ok, type Result } from "../../result.ts";
import type { NewlyTrustedPaths } from "../../sandbox/mounts/index.ts";
import type { Failure } from "../failure.ts";
import type { TurnHook } from "./turn-hook.ts";

/** What the protection of a project is made from. */
export type ProtectionOptions = {
  readonly root: string;
  readonly projectDir: string;
  /** Paths that must be protected by now and are not; undefined where no sandbox runs. */
  readonly late: () => Promise<NewlyTrustedPaths | undefined>;
};

/**
 * Notes after each turn the paths to protect that appeared in it and may be the agent's own, such as a
 * repository. Those that appeared before the turn made the sandbox start again with them read-only.
 */
export class Protection implements TurnHook {
  readonly #options: ProtectionOptions;
  /** Paths that were not the agent's, and could not be protected while other turns ran. */
  readonly #unprotected = new Set<string>();

  constructor(options: ProtectionOptions) {
    this.#options = options;
  }

  /** These were there before a turn: they are never taken for the agent's. */
  remember(names: readonly string[]): void {
    for (const name of names) this.#unprotected.add(name);
  }

  readonly before = async (): Promise<Result<void, Failure>> => ok();

  readonly after = async (): Promise<readonly ChatEvent[]> => {
    const { root, projectDir, late } = this.#options;
    const made = (await late())?.made ?? [];
    const names = made.filter((name) => !this.#unprotected.has(name));
    if (names.length > 0) {
      const { noteMade } = await import("../../sandbox/guard/index.ts");
      await noteMade(projectDir, root, names);
    }
    return [];
  };
}
