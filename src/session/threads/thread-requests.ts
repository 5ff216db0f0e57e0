import type { Log } from "../../log.ts";
import type { Editor, NotificationParams } from "../../nvim/index.ts";
import {
  type CodexAnswer,
  type CodexRequest,
  MAX_HITS,
  searchFiles,
  ThreadChanges,
  ThreadList,
  type Where,
} from "../../threads/index.ts";

/** What the requests are answered with. */
export type ThreadRequestsOptions = {
  readonly editor: Editor;
  readonly log: Log;
  readonly tellCodex: (request: CodexRequest) => Promise<CodexAnswer>;
};

/**
 * Answers what the editor asks about the list of conversations. Needs no conversation that is open and
 * no project that runs.
 */
export class ThreadRequests {
  readonly #options: ThreadRequestsOptions;
  readonly #list = new ThreadList();
  readonly #changes: ThreadChanges;
  /** Of several lists, and of several searches, only the last is still wanted. */
  #listing = new AbortController();
  #searching = new AbortController();
  #changing = new Set<Promise<unknown>>();

  constructor(options: ThreadRequestsOptions) {
    this.#options = options;
    const { editor } = options;
    this.#changes = new ThreadChanges({
      tellCodex: options.tellCodex,
      letGo: async (path) => {
        const answer = await editor.call.threads_let_go(path);
        return answer.ok && answer.value;
      },
      onChanged: (path) => this.#list.forget(path),
    });
    editor.onNotify("threads/list", (params) => {
      void this.#answer(params.id, () => this.#sendList(params));
    });
    editor.onNotify("threads/search", (params) => {
      void this.#answer(params.id, () => this.#search(params));
    });
    editor.onNotify("threads/change", (params) => {
      void this.#answer(params.id, () => this.#change(params));
    });
    void editor.closed.then(() => {
      this.#listing.abort();
      this.#searching.abort();
    });
  }

  /** Settles when no file is being changed any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#changing]);
  }

  /** Answers with what `run` gives; a sentence in place of a value is why there is none. */
  async #answer(id: number, run: () => Promise<object | string>): Promise<void> {
    const { editor, log } = this.#options;
    let answer: object | string;
    try {
      answer = await run();
    } catch (thrown) {
      log.error({ err: thrown }, "a request about conversations failed");
      answer = `the list of conversations failed: ${String(thrown)}.`;
    }
    await editor.call.action_answer(
      id,
      typeof answer === "string" ? { ok: false, message: answer } : { ok: true, value: answer },
    );
  }

  async #sendList(params: NotificationParams<"threads/list">): Promise<object> {
    this.#listing.abort();
    this.#listing = new AbortController();
    const { signal } = this.#listing;
    const { id, archived, open } = params;
    const pages = this.#list.pages({ where: whereOf(params.where), archived, open, signal });
    let sending: Promise<{ readonly ok: boolean }> = Promise.resolve({ ok: true });
    for (;;) {
      const page = await pages.next();
      // The editor has one page to decode while the next one is made.
      if (!(await sending).ok || signal.aborted) return { is_over: true };
      if (page.done === true) return { problems: page.value };
      sending = this.#options.editor.call.threads_page(id, page.value);
    }
  }

  async #search(params: NotificationParams<"threads/search">): Promise<object> {
    this.#searching.abort();
    this.#searching = new AbortController();
    const { signal } = this.#searching;
    const where = whereOf(params.where);
    const { files, problems } = await this.#list.files(where, signal);
    const hits = await searchFiles(files, params.text, { stateDir: where.stateDir, signal });
    if (signal.aborted) return { is_over: true };
    return { hits, problems, is_cut: hits.length >= MAX_HITS };
  }

  async #change(params: NotificationParams<"threads/change">): Promise<object | string> {
    const { task, state_dir: stateDir, open, new_name: newName, ...subject } = params;
    const isOpen = open === undefined ? undefined : { isBusy: open.busy, head: open.head };
    const running = this.#changes.run(task, { ...subject, stateDir, open: isOpen }, newName);
    this.#changing.add(running);
    const done = await running.finally(() => this.#changing.delete(running));
    return done.ok ? done.value : done.error;
  }
}

function whereOf({
  state_dir: stateDir,
  ...where
}: NotificationParams<"threads/list">["where"]): Where {
  return { stateDir, ...where };
}
