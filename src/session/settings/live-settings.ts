import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import { localServices } from "./local-services.ts";
import { Settings } from "./settings.ts";

/**
 * The failure of a turn that would run with outdated settings. SECURITY: these may name another
 * endpoint, or a weaker sandbox, than the user wants now.
 */
export const STALE: Failure = {
  kind: "settings_changed",
  message:
    "The configuration has changed, but a turn of another conversation is still running in this project's sandbox with the old one.",
  fix: "Send again when that turn is over; to end it at once: :CodexChat! sandbox restart",
};

/** Parses the settings that the editor has sent. */
export function parseSettings(input: unknown): Result<Settings, Failure> {
  const parsed = Settings.safeParse(input);
  if (parsed.success) return ok(parsed.data);
  const issues = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  return err({
    kind: "wrong_settings",
    message: `The configuration is wrong: ${issues.join("; ")}.`,
    fix: "Correct that (:help codex-chat-config), then send again.",
  });
}

/**
 * A project's settings, which may change while its sandbox runs. Some take effect at once; others
 * were fixed when the sandbox was started, and it is known whether they have changed since.
 */
export class LiveSettings {
  #current: Settings;
  #fault: Failure | undefined;
  #started: string | undefined;

  constructor(settings: Settings) {
    this.#current = settings;
  }

  /** The latest valid settings. */
  get current(): Settings {
    return this.#current;
  }

  /**
   * Why nothing may be sent: the latest settings are invalid, and the ones before may name another
   * endpoint than the user wants now.
   */
  get fault(): Failure | undefined {
    return this.#fault;
  }

  /** Takes new settings from the editor. */
  take(parsed: Result<Settings, Failure>): void {
    this.#fault = parsed.ok ? undefined : parsed.error;
    if (parsed.ok) this.#current = parsed.value;
  }

  /** The settings for a sandbox that is started now. */
  start(): Settings {
    this.#started = fixedPart(this.#current);
    return this.#current;
  }

  /** Whether a query must wait for its own turn, because the running sandbox has other settings. */
  get isPending(): boolean {
    return this.#fault !== undefined || this.isStale;
  }

  /** Whether the running sandbox was started with other settings than a new one would be. */
  get isStale(): boolean {
    return this.#started !== undefined && this.#started !== fixedPart(this.#current);
  }
}

/** The settings that are fixed when the sandbox, the egress and Codex are started. */
function fixedPart(settings: Settings): string {
  const { model: _m, effort: _e, watch: _w, stop_commands: _s, log_level: _l, ...rest } = settings;
  const { approvals, sandbox, network, editor_tools: _t, ...fixed } = rest;
  const { allow, ask: _k, ...way } = network;
  const { idle_minutes: _i, ...container } = sandbox;
  // Fixed as well: whether Codex has terminals, and which services have ports inside.
  const terminals = approvals !== "untrusted";
  return JSON.stringify({ ...fixed, way, container, terminals, local: localServices(allow) });
}
