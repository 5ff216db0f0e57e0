import type { ToolAnswer, ToolCall } from "../../codex/server-requests/index.ts";
import type { Result } from "../../result.ts";
import { EDITOR } from "./editor-tools.ts";

/** How long the editor may take; a language server may index first. */
const ANSWER_MS = 15_000;
/** How many calls may be open; a program inside may ask as often as it likes. */
const MAX_OPEN = 16;

/** Asks the editor to run a tool; the answer comes through `answered`. */
export type RunTool = (call: {
  readonly id: string;
  readonly tool: string;
  readonly arguments: object;
}) => Promise<Result<unknown, { readonly message: string }>>;

/** Calls of the editor's tools, each settled once: by its answer, or by its time-out. */
export class ToolCalls {
  readonly #run: RunTool;
  readonly #isWanted: () => boolean;
  readonly #open = new Map<string, (answer: ToolAnswer) => void>();
  #next = 0;

  /** `isWanted` says whether a turn runs: at other times nobody has a reason to ask. */
  constructor(run: RunTool, isWanted: () => boolean) {
    this.#run = run;
    this.#isWanted = isWanted;
  }

  /** Runs one for Codex; never rejects. */
  async call({ namespace, tool, arguments: args }: ToolCall): Promise<ToolAnswer> {
    if (!this.#isWanted()) return { ok: false, text: "No turn is running." };
    if (namespace !== EDITOR) return { ok: false, text: "There is no such tool." };
    if (this.#open.size >= MAX_OPEN) return { ok: false, text: "The editor is busy; ask again." };
    this.#next += 1;
    const id = `t${this.#next}`;
    const answered = new Promise<ToolAnswer>((resolve) => this.#open.set(id, resolve));
    const timer = setTimeout(
      () => this.answered(id, { ok: false, text: "The editor did not answer in time." }),
      ANSWER_MS,
    );
    const told = await this.#run({ id, tool, arguments: args });
    if (!told.ok) this.answered(id, { ok: false, text: "The editor cannot be asked now." });
    const answer = await answered;
    clearTimeout(timer);
    return answer;
  }

  /** The editor has answered; a late answer is ignored. */
  answered(id: string, { ok, text }: ToolAnswer): void {
    const settle = this.#open.get(id);
    this.#open.delete(id);
    settle?.({ ok, text });
  }
}
