import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import { localServices } from "./local-services.ts";
import { Settings } from "./settings.ts";

/**
 * Why a turn does not begin: SECURITY: what was set before may be another endpoint, or a weaker
 * sandbox, than the user wants by now.
 */
export const STALE: Failure = {
  kind: "settings_changed",
  message:
    "The configuration has changed, and a turn of another conversation still runs in this project's sandbox as it was before.",
  fix: "Send again when that turn is over; to end it at once: :CodexChat! sandbox restart",
};

/** Reads the settings as the editor has told them. */
export function parseSettings(input: unknown): Result<Settings, Failure> {
  const parsed = Settings.safeParse(input);
  if (parsed.success) return ok(parsed.data);
  const issues = parsed.error.issues.map((it) => `${it.path.join(".")}: ${it.message}`);
  return err({
    kind: "wrong_settings",
    message: `The configuration is wrong: ${issues.join("; ")}.`,
    fix: "Correct that (:help codex-chat-config), then send again.",
  });
}

/**
 * A project's settings, which may change while its sandbox runs: those that count at once, and
 * whether others have changed that were fixed when the sandbox was started.
 */
export class LiveSettings {
  #current: Settings;
  #fault: Failure | undefined;
  #started: string | undefined;

  constructor(settings: Settings) {
    this.#current = settings;
  }

  /** The latest that are right. */
  get current(): Settings {
    return this.#current;
  }

  /**
   * Why nothing may be sent: the latest settings are wrong, and what was set before them may lead
   * to another endpoint than the user wants by now.
   */
  get fault(): Failure | undefined {
    return this.#fault;
  }

  /** Takes over what the editor tells. */
  take(told: Result<Settings, Failure>): void {
    this.#fault = told.ok ? undefined : told.error;
    if (told.ok) this.#current = told.value;
  }

  /** Those that a sandbox is started with now. */
  start(): Settings {
    this.#started = fixedPart(this.#current);
    return this.#current;
  }

  /** Whether what is sent now has to wait for a turn of its own: what runs is not as the user wants it. */
  get isPending(): boolean {
    return this.#fault !== undefined || this.isStale;
  }

  /** Whether what runs was started with other settings than a new one would be. */
  get isStale(): boolean {
    return this.#started !== undefined && this.#started !== fixedPart(this.#current);
  }
}

/** What is read once, when the sandbox, the way out and Codex are started. */
function fixedPart(settings: Settings): string {
  const { model: _m, effort: _e, watch: _w, stop_commands: _s, log_level: _l, ...rest } = settings;
  const { approvals, sandbox, network, editor_tools: _t, ...fixed } = rest;
  const { allow, ask: _k, ...way } = network;
  const { idle_minutes: _i, ...container } = sandbox;
  // Of the approvals, whether Codex has terminals at all; of what may be reached, what has ports inside.
  const terminals = approvals !== "untrusted";
  return JSON.stringify({ ...fixed, way, container, terminals, local: localServices(allow) });
}
