import type { Failure } from "../failure.ts";

/** A line of `:checkhealth codex-chat`. */
export type HealthLine = {
  readonly section: string;
  readonly level: "ok" | "info" | "warn" | "error";
  readonly message: string;
  readonly advice: readonly string[];
  /** The part of the sandbox that it is about: the steps of `:CodexChat setup`. */
  readonly step?: "engine" | "gvisor" | "image";
};

/** A line of a section. */
export function healthLine(
  section: string,
  level: HealthLine["level"],
  message: string,
  advice: readonly string[] = [],
): HealthLine {
  return { section, level, message, advice };
}

/** The lines as those of a step. */
export function ofStep(
  step: NonNullable<HealthLine["step"]>,
  ...lines: readonly HealthLine[]
): HealthLine[] {
  return lines.map((line) => ({ ...line, step }));
}

/** A failure, with its fix line by line as advice. */
export function failedLine(section: string, failure: Failure): HealthLine {
  return healthLine(section, "error", failure.message, failure.fix?.split("\n") ?? []);
}
