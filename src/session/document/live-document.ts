import { FrameScheduler } from "../../chat/edits/index.ts";
import type { UnfinishedAnswer } from "../../chat/file/index.ts";
import { type ChatMeta, lostMeta, readTranscript, title } from "../../chat/format/index.ts";
import {
  approvalBlock,
  type ChatEvent,
  initialState,
  type LocalEvent,
  type NotAsked,
  type Question,
  type UserDecision,
} from "../../chat/index.ts";
import { askedChanges, whyNotAsked } from "../../chat/items/index.ts";
import { reduce, type StatusFacts } from "../../chat/reducer/index.ts";
import type { FileUpdateChange } from "../../codex/messages/index.ts";
import type { Log, Progress } from "../../log.ts";
import type { Editor, WinbarState } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";
import type { Query } from "../query.ts";
import { throttle } from "../throttle.ts";
import { BufferMirror } from "./buffer-mirror.ts";
import { allowedDecisions } from "./choices.ts";
import { DocumentFile, type OpenError } from "./document-file.ts";
import { QueryEdits } from "./query-edits.ts";

/** What a document is opened with. */
export type LiveDocumentOptions = {
  readonly editor: Editor;
  readonly buf: number;
  readonly path: string;
  readonly root: string;
  /** A directory that no agent can write. */
  readonly stateDir: string;
  /** Tells this host's blocks from those of a host that died on the same buffer. */
  readonly prefix: string;
  readonly log: Log;
};

/** How often the winbar's tokens move while Codex goes on counting. */
const TOKENS_MS = 500;

/** How often another file is shown while Codex goes through many. */
const SHOW_FILE_MS = 300;

/** A file, and a line of it. */
type FilePlace = { readonly path: string; readonly line?: number };

type Resolved = Extract<LocalEvent, { type: "approval_resolved" }>;
type Phase = WinbarState["phase"];

/** The state of a conversation in the winbar. */
export type RunState = { readonly phase: Phase; readonly detail?: Progress | undefined };
/** Everything that the winbar shows, but the tokens. */
type Shown = {
  phase: Phase;
  detail?: string;
  shorter?: readonly string[];
  model?: string;
  mode?: string;
  sandbox?: string;
  note?: string;
};

/**
 * A conversation's document: the buffer in the editor, the reducer's state of it, and the file.
 *
 * The buffer is the truth. Edits go to it in frames, and come back, with all that the user types,
 * as the lines that the file is written from.
 */
export class LiveDocument {
  readonly buf: number;
  readonly #stateDir: string;
  #meta: ChatMeta;
  #state;
  #shown: Shown = { phase: "idle" };
  readonly #editor: Editor;
  readonly #log: Log;
  readonly #frames: FrameScheduler;
  readonly #mirror: BufferMirror;
  readonly #file: DocumentFile;
  readonly #edits = new QueryEdits();
  /** SECURITY: a program inside may pretend any number of counts. */
  readonly #showTokens = throttle(() => this.#show(), TOKENS_MS);
  readonly #showFile = throttle(
    (at: FilePlace) => this.#tell(this.#editor.call.buf_show_file(this.buf, at)),
    SHOW_FILE_MS,
  );

  private constructor(options: LiveDocumentOptions, mirror: BufferMirror) {
    const { editor, buf, root, log } = options;
    this.buf = buf;
    this.#stateDir = options.stateDir;
    this.#editor = editor;
    this.#log = log;
    this.#mirror = mirror;
    const { meta: own, problems } = readTranscript(mirror.text());
    this.#file = new DocumentFile({
      ...options,
      mirror,
      meta: () => this.#meta,
      isBusy: () => ["starting", "running", "waiting"].includes(this.#shown.phase),
      onNote: (note) => this.setShown({ note }),
    });
    // It was deleted before the host had the conversation; the file still has it.
    const before = mirror.hasFrontMatter ? "" : this.#file.textOnDisk();
    if (before !== "") mirror.recall(before);
    const meta = { ...readTranscript(before).meta, ...own };
    this.#meta = meta;
    if (problems.length > 0) log.warn({ problems, path: options.path }, "odd front matter");
    this.#state = initialState({
      root,
      prefix: options.prefix,
      ...(meta.thread === undefined ? {} : { thread: meta.thread }),
    });
    this.#frames = new FrameScheduler({
      send: async (edits) => {
        const applied = await editor.call.buf_set_edits(buf, edits);
        if (!applied.ok) return applied;
        return applied.value.ok ? ok() : err({ message: applied.value.reason });
      },
      onError: (error) => log.error({ error: error.message, kind: error.kind }, "a frame was lost"),
    });
  }

  /**
   * Takes a chat buffer over: watches its lines and locks its file for this process.
   *
   * Errors: a sentence for the user, if another Neovim writes the file or it cannot be written.
   */
  static async open(options: LiveDocumentOptions): Promise<Result<LiveDocument, OpenError>> {
    let document: LiveDocument | undefined;
    const mirror = await BufferMirror.follow(options.editor, options.buf, {
      onChange: () => document?.changed(),
      // Its text was read again: Lua sends chat/reread or another chat/open.
      onDetach: () => options.log.info({ buf: options.buf }, "the buffer is no longer followed"),
    });
    if (!mirror.ok) return err({ kind: "failed", message: mirror.error.message });
    document = new LiveDocument(options, mirror.value);
    const locked = await document.#file.open();
    if (locked.ok) document.#frames.push(mirror.value.closingEdits(options.prefix));
    else mirror.value.close();
    return locked.ok ? ok(document) : err(locked.error);
  }

  /** What an earlier host was writing into the conversation when it died. */
  get left(): UnfinishedAnswer {
    return this.#file.left;
  }

  /** Notes what is being written, so that it is known to be cut off if this host dies. */
  note(what: UnfinishedAnswer): void {
    this.#file.note(what);
  }

  /** What the front matter says. */
  get meta(): ChatMeta {
    return this.#meta;
  }

  get path(): string {
    return this.#file.path;
  }

  get stateDir(): string {
    return this.#stateDir;
  }

  /** The whole text as it is now, unsent prompt included. */
  text(): string {
    return this.#mirror.text();
  }

  /** Feeds the reducer, and the editor with what comes of it. */
  apply(event: ChatEvent): void {
    const { state, edits } = reduce(this.#state, this.#asStanding(event));
    const { usage } = this.#state;
    this.#state = state;
    this.#frames.push(edits);
    if (state.usage !== usage) this.#showTokens();
  }

  /** A sent query with its text as it stands: to repair the one that was sent would undo an edit. */
  #asStanding(event: ChatEvent): ChatEvent {
    if (!("type" in event) || event.type !== "sent" || event.text === undefined) return event;
    const { text: sent, contextLine: _, ...rest } = event;
    const text = this.#edits.textOf(event.id, sent);
    if (text === sent) return event;
    return text === undefined ? rest : { ...rest, text };
  }

  /** Shows what the conversation does. */
  setState(state: RunState): void {
    const { detail: _old, shorter: _too, ...kept } = this.#shown;
    const { phase, detail } = state;
    this.#shown = {
      ...kept,
      phase,
      ...(typeof detail === "object" ? { detail: detail.text, shorter: detail.shorter } : {}),
      ...(typeof detail === "string" ? { detail } : {}),
    };
    this.#show();
  }

  /** Adds to what is shown, whatever the phase. */
  setShown(shown: {
    readonly sandbox?: string;
    readonly note?: string;
    readonly mode?: string;
  }): void {
    Object.assign(this.#shown, shown);
    this.#show();
  }

  /** What Codex reports besides the text: tokens (none before the first turn), limits, … */
  get standing(): StatusFacts {
    return this.#state;
  }

  /** Notes the thread and model, also in the front matter. */
  setMeta(meta: { readonly thread?: string; readonly model?: string }): void {
    const changed = Object.entries(meta).some(
      ([key, value]) => this.#meta[key as keyof ChatMeta] !== value,
    );
    this.#meta = { ...this.#meta, ...meta };
    if (meta.thread !== undefined) this.apply({ type: "thread", id: meta.thread });
    if (meta.model !== undefined) this.#shown.model = meta.model;
    if (changed) this.#tell(this.#editor.call.buf_set_meta(this.buf, meta));
    this.#show();
  }

  /** The user has edited a sent query where it stands, or deleted it (no text). */
  queryEdited(id: string, text: string | undefined): void {
    this.#edits.set(id, text);
  }

  /** The queries as the user has edited them where they stand, deleted ones left out. */
  asEdited(queries: readonly Query[]): readonly Query[] {
    return this.#edits.apply(queries);
  }

  /** Why the user cannot be asked this; undefined if they can. */
  whyNotAsked(question: Question): NotAsked | undefined {
    return whyNotAsked(this.#state, question);
  }

  /** Puts a question into the text, with keys that answer it; settles when they work. */
  async askApproval(approval: Question): Promise<void> {
    this.apply({ type: "approval_requested", approval });
    const block = approvalBlock(this.#state, approval.id);
    // The keys belong to a block that must be in the text first.
    await this.#frames.flush();
    if (block === undefined || approvalBlock(this.#state, approval.id) === undefined) return;
    const { id, kind } = approval;
    const shown = await this.#editor.call.buf_set_approval(this.buf, {
      id,
      block,
      kind,
      choices: allowedDecisions(kind),
      ...(kind === "questions" ? { fields: approval.fields } : {}),
      ...(kind === "page" ? { url: approval.url } : {}),
      ...(askedChanges(this.#state, id) === undefined ? {} : { diff: true }),
    });
    if (!shown.ok) this.#log.warn({ error: shown.error.message }, "a question was not shown");
  }

  /** The files of the patch that a pending question is about. */
  askedChanges(id: string): readonly FileUpdateChange[] | undefined {
    return askedChanges(this.#state, id);
  }

  /** Takes the keys away and notes the answer. */
  approvalAnswered(
    id: string,
    decision: UserDecision,
    more: Pick<Resolved, "reason" | "said" | "unanswered">,
  ): void {
    this.#tell(this.#editor.call.buf_set_approval(this.buf, { id, remove: true }));
    this.apply({ type: "approval_resolved", id, decision, ...more });
  }

  /** Lets the editor show the file that Codex reads or edits now. */
  showFile(at: FilePlace): void {
    this.#showFile(at);
  }

  /** Shows the user a message that does not belong in the text. */
  notify(level: "info" | "warn" | "error", message: string): void {
    this.#tell(this.#editor.call.ui_notify(level, message));
  }

  /** Follows the buffer again, after its text was read again. */
  async follow(): Promise<void> {
    const followed = await this.#mirror.again();
    if (followed.ok) this.#file.changed();
    else this.#log.error({ error: followed.error.message }, "the buffer is no longer followed");
  }

  /** Has the file written soon, because the text has changed. */
  changed(): void {
    this.#file.changed();
  }

  /** Settles when the editor has all edits and the file all lines. */
  async settled(): Promise<void> {
    // At the end of a turn nobody is about to undo a deletion.
    const lost = lostMeta(this.text(), this.#meta);
    if (lost !== undefined) this.#tell(this.#editor.call.buf_set_meta(this.buf, lost));
    await this.#frames.flush();
    await this.#file.save();
  }

  /** The same at a turn's end: nothing is being written then, unless the next has begun. */
  async ended(isBusy: () => boolean): Promise<void> {
    await this.settled();
    if (!isBusy()) this.note("nothing");
  }

  /** Writes the file now, and looks whether others have changed it. */
  save(): Promise<void> {
    return this.#file.save();
  }

  /** Writes the text as it is now to a file beside the conversations, and gives its path. */
  keepCopy(): Promise<Result<string, Failure>> {
    return this.#file.keepCopy();
  }

  /** Names the conversation after its first query, unless the user has named it, and its file, once. */
  async nameAfter(query: string): Promise<void> {
    const name = readTranscript(this.text()).meta.name ?? title(query);
    if (name !== "") {
      this.#meta = { ...this.#meta, name };
      this.#tell(this.#editor.call.buf_set_meta(this.buf, { name }));
    }
    await this.#file.nameAfter(query);
  }

  /**
   * Lets go of buffer and file. With `why`, a turn was under way that nobody can close any more: a
   * note of that is written into the file, above the prompt. If it is opened again (`isReopened`), the
   * file is left to the new document: the buffer may hold another text by now.
   */
  async close(why: string | undefined, isReopened = false): Promise<void> {
    this.#frames.close();
    if (why !== undefined) this.#mirror.insertAbovePrompt([`> **Note:** ${why}`]);
    if (why !== undefined) this.#file.changed();
    await this.#file.close({ isReopened });
    this.#mirror.close();
  }

  #show(): void {
    const usage = this.#state.usage;
    const tokens =
      usage === undefined
        ? {}
        : {
            tokens: {
              last: usage.last,
              total: usage.total,
              ...(usage.window === null ? {} : { window: usage.window }),
            },
          };
    this.#tell(this.#editor.call.buf_set_state(this.buf, { ...this.#shown, ...tokens }));
  }

  #tell(call: Promise<Result<unknown, { readonly message: string }>>): void {
    void call.then((done) => {
      if (!done.ok) this.#log.warn({ error: done.error.message }, "the editor did not take a call");
    });
  }
}
