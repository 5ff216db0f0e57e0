import { brokenLine } from "./columns.ts";
import { visible } from "./control-characters.ts";
import { codeSpan, duration, fenceOf, longestTicks, shownPath } from "./fences.ts";
import { withoutRole } from "./markdown/index.ts";
import type { CommandPhase } from "./state.ts";

const SHELL = /(?:^|\/)(?:ba|da|z|k)?sh$/;

/**
 * The script inside `/bin/bash -lc '…'`, which is how Codex reports every command. Anything else is
 * returned unchanged, so that everything that runs is shown.
 */
export function unwrapShell(command: string): string {
  const words = shellWords(command);
  if (words === undefined || words.length !== 3) return command;
  const [shell = "", flag = "", script = ""] = words;
  return SHELL.test(shell) && (flag === "-lc" || flag === "-c") ? script : command;
}

/**
 * Splits `line` as a POSIX shell would. Returns `undefined` if that takes more than removing
 * quotes: an unclosed quote, an expansion, or an operator outside of quotes.
 */
function shellWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let index = 0; index < line.length; index += 1) {
    const char = line.charAt(index);
    if (char === "'") {
      const end = line.indexOf("'", index + 1);
      if (end === -1) return undefined;
      word = (word ?? "") + line.slice(index + 1, end);
      index = end;
    } else if (char === '"') {
      const quoted = /^"((?:[^"\\$`]|\\[\s\S])*)"/.exec(line.slice(index));
      if (quoted === null) return undefined;
      word =
        (word ?? "") +
        (quoted[1] ?? "").replace(/\\(["\\$`\n])/g, (_, kept) => (kept === "\n" ? "" : kept));
      index += quoted[0].length - 1;
    } else if (char === "\\") {
      if (index + 1 === line.length) return undefined;
      index += 1;
      if (line.charAt(index) !== "\n") word = (word ?? "") + line.charAt(index);
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (/[;&|<>()$`*?[\]#~!{}]/.test(char)) {
      return undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The facts in a command's summary line. */
export type CommandSummary = {
  readonly phase: CommandPhase;
  /** The script, unwrapped. */
  readonly script: string;
  readonly cwd: string;
  readonly exitCode: number | null;
  readonly durationMs: number | null;
  /**
   * The user's answer, such as `approved` or `declined: reason`; absent if the user was not asked.
   */
  readonly answer?: string;
  /** Codex's status of an end that has no phase. */
  readonly status?: string;
};

const VERBS: Readonly<Record<CommandPhase, string>> = {
  running: "**Running**",
  asks: "**Asks** to run",
  ran: "**Ran**",
  failed: "**Failed**",
  declined: "**Declined**",
  stopped: "**Stopped**",
  background: "**Running**",
};

/** A command's summary line: ``**Ran** `make test` · exit 0 · 0.3 s``. */
export function commandSummary(command: CommandSummary, root: string): string {
  const script = command.script.trim();
  const end = script.indexOf("\n");
  const first = codeSpan(end === -1 ? script : `${script.slice(0, Math.min(end, 2000))} …`, 100);
  const where =
    command.cwd === root || command.cwd === ""
      ? ""
      : ` in ${codeSpan(shownPath(command.cwd, root))}`;
  const facts = [command.answer ?? "", command.status ?? ""];
  if (command.phase === "background") facts.push("left running in the background");
  if (command.exitCode !== null && command.phase !== "stopped" && command.phase !== "declined") {
    facts.push(`exit ${command.exitCode}`);
  }
  if (command.durationMs !== null && command.phase !== "declined") {
    facts.push(duration(command.durationMs));
  }
  const parts = facts.filter((fact) => fact !== "").map((fact) => ` · ${fact}`);
  return `${VERBS[command.phase]} ${first}${where}${parts.join("")}`;
}

/**
 * The lines that show a command in full, as at a prompt.
 *
 * SECURITY: this is what the user approves, so nothing is left out.
 */
export function commandLines(script: string): string[] {
  const text = script.replaceAll("\r\n", "\n");
  let end = text.length;
  while (end > 0 && text.charAt(end - 1) === "\n") end -= 1;
  return text
    .slice(0, end)
    .split("\n")
    .flatMap((line, index) => brokenLine(withoutRole(visible(index === 0 ? `$ ${line}` : line))));
}

/** Whether the summary line alone shows the command in full. */
export function fitsSummary(script: string): boolean {
  const line = script.trim();
  return !line.includes("\n") && line.length <= 100;
}

/**
 * The opening and closing line of a fence around output whose longest run of backticks is `ticks`.
 */
export function consoleFence(ticks: number): { open: string; close: string } {
  const fence = fenceOf(ticks);
  return { open: `${fence}console output`, close: fence };
}

/** The longest run of backticks in `lines`. */
export function ticksIn(lines: readonly string[]): number {
  return lines.reduce((longest, line) => Math.max(longest, longestTicks(line)), 0);
}
