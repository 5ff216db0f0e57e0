import { brokenLine, cutLine, isTooLong, withFewMarks } from "../columns.ts";
import { visible } from "../control-characters.ts";
import { codeSpan, countOf, fenced, shownPath } from "../fences.ts";
import { withoutRole } from "../markdown/index.ts";
import type { FileChange, PatchPhase } from "../state.ts";
import { maxLineChars } from "./ansi.ts";

/** The most lines shown of a file's diff, unless the user must decide about it. */
const maxDiffLines = 600;

type Verb = readonly [running: string, done: string, infinitive: string];

const VERBS: Readonly<Record<FileChange["kind"]["type"] | "move", Verb>> = {
  add: ["Adding", "Added", "add"],
  delete: ["Deleting", "Deleted", "delete"],
  update: ["Editing", "Edited", "edit"],
  move: ["Moving", "Moved", "move"],
  unknown: ["Changing", "Changed", "change"],
};

/** The summary line of a change: ``**Edited** `src/a.ts` · +3 −1``. */
export function patchSummary(
  change: FileChange,
  phase: PatchPhase,
  root: string,
  answer?: string,
): string {
  const { kind } = change;
  const target = kind.type === "update" ? (kind.move_path ?? undefined) : undefined;
  const verb = verbOf(VERBS[target === undefined ? kind.type : "move"], phase);
  const path = codeSpan(shownPath(change.path, root), 200);
  const to = target === undefined ? "" : ` to ${codeSpan(shownPath(target, root), 200)}`;
  const answerText = answer === undefined ? "" : ` · ${answer}`;
  return `${verb} ${path}${to}${size(change)}${answerText}`;
}

/** The summary line of a patch without files. */
export function emptyPatchSummary(phase: PatchPhase, answer?: string): string {
  const what = phase === "done" ? "no file" : "files";
  return `${verbOf(VERBS.unknown, phase)} ${what}${answer === undefined ? "" : ` · ${answer}`}`;
}

function verbOf([running, done, infinitive]: Verb, phase: PatchPhase): string {
  return {
    running: `**${running}**`,
    asks: `**Asks** to ${infinitive}`,
    done: `**${done}**`,
    failed: `**Failed** to ${infinitive}`,
    declined: `**Declined** to ${infinitive}`,
    stopped: `**Stopped** before it could ${infinitive}`,
  }[phase];
}

function size(change: FileChange): string {
  if (isBinary(change)) return ` · binary, ${countOf(change.diff.length, "character")}`;
  const { plus, minus } = signs(change);
  if (change.diff === "" && ["add", "delete"].includes(change.kind.type)) return " · empty";
  if (change.kind.type === "add") return ` · +${plus}`;
  if (change.kind.type === "delete") return ` · −${minus}`;
  if (plus === 0 && minus === 0) return "";
  return ` · +${plus} −${minus}`;
}

/** How many lines were added and removed; in one pass, since the content may be megabytes. */
function signs({ diff, kind }: FileChange): { plus: number; minus: number } {
  if (kind.type === "add" || kind.type === "delete") {
    const lines = diff === "" ? 0 : ends(diff) + (diff.endsWith("\n") ? 0 : 1);
    return kind.type === "add" ? { plus: lines, minus: 0 } : { plus: 0, minus: lines };
  }
  let [plus, minus] = [0, 0];
  let at = hunksAt(diff);
  while (at < diff.length) {
    const sign = diff.charAt(at);
    if (sign === "+") plus += 1;
    else if (sign === "-") minus += 1;
    const end = diff.indexOf("\n", at);
    at = end === -1 ? diff.length : end + 1;
  }
  return { plus, minus };
}

/** How many line ends `text` has. */
function ends(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

/** The offset of a diff's first hunk, after a file header, which Codex omits. */
function hunksAt(diff: string): number {
  if (!/^(?:diff |index |--- )/.test(diff)) return 0;
  const first = diff.indexOf("\n@@");
  return first === -1 ? 0 : first + 1;
}

/**
 * The diff in its fence; no lines if there is nothing to show (an empty file, a mere move, binary
 * content). With `whole`, nothing is left out, since the user must decide about it.
 *
 * SECURITY: `diff` is written by the model.
 */
export function patchFence(change: FileChange, whole: boolean): string[] {
  if (isBinary(change)) return [];
  if (!whole && change.diff.length > maxDiffChars) return longFence(change);
  const lines = diffLines(change).flatMap((line) =>
    whole ? brokenLine(withoutRole(visible(line))) : [withoutRole(shown(line))],
  );
  if (lines.length === 0) return [];
  if (whole || lines.length <= maxDiffLines) return fenced(lines, "diff patch");
  const half = maxDiffLines / 2;
  return fenced(
    [...lines.slice(0, half), leftLine(lines.length - 2 * half), ...lines.slice(-half)],
    "diff patch",
  );
}

/** Of a longer diff only the two ends are split into lines. */
const maxDiffChars = 4 * 1024 ** 2;

function longFence(change: FileChange): string[] {
  const half = maxDiffChars / 4;
  const { diff } = change;
  const from = diff.length - half;
  const linesOf = (part: string) =>
    diffLines({ ...change, diff: part }).map((line) => withoutRole(shown(line)));
  const head = linesOf(`${diff.slice(0, half)}\n`).slice(0, maxDiffLines / 2);
  const tail = linesOf(diff.slice(from)).slice(-maxDiffLines / 2);
  const all = ends(diff) + (diff.endsWith("\n") ? 0 : 1);
  return fenced(
    [...head, leftLine(Math.max(1, all - head.length - tail.length)), ...tail],
    "diff patch",
  );
}

function leftLine(lines: number): string {
  return `… ${countOf(lines, "line")} left out …`;
}

function shown(line: string): string {
  const text = visible(line);
  const head = cutLine(withFewMarks(cutLine(text, maxLineChars)).text, maxLineChars);
  return isTooLong(text, maxLineChars) ? `${head} …` : head;
}

function isBinary(change: FileChange): boolean {
  return change.diff.includes("\0");
}

function diffLines(change: FileChange): string[] {
  if (change.diff === "") return [];
  const ended = change.diff.endsWith("\n");
  const lines = (ended ? change.diff.slice(0, -1) : change.diff).split("\n");
  const sign = { add: "+", delete: "-", update: "", unknown: "" }[change.kind.type];
  if (sign === "") return lines;
  const signed = lines.map((line) => `${sign}${line}`);
  return ended ? signed : [...signed, "\\ No newline at end of file"];
}
