import { isUtf8 } from "node:buffer";
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { removeFile, writeNew } from "../../atomic-write.ts";
import {
  type ForeignText,
  KnownFile,
  openStore,
  type TranscriptStore,
  textHash,
  type UnfinishedAnswer,
  type FileVerdict as Verdict,
} from "../../chat/file/index.ts";
import { type ChatMeta, readTranscript, slug } from "../../chat/format/index.ts";
import { codeOf } from "../../error-code.ts";
import type { Log } from "../../log.ts";
import type { Editor } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import { type Failure, failureOf } from "../failure.ts";
import type { BufferMirror } from "./buffer-mirror.ts";
import { freePath } from "./free-path.ts";

/** What a document file is opened with. */
export type DocumentFileOptions = {
  readonly editor: Editor;
  readonly buf: number;
  readonly path: string;
  /** A directory that no agent can write. */
  readonly stateDir: string;
  readonly log: Log;
  readonly mirror: BufferMirror;
  /** The front matter for the file, whatever has become of it in the text. */
  readonly meta: () => ChatMeta;
  /** Whether a turn is under way: its answer must become whole, so the text is not read again. */
  readonly isBusy: () => boolean;
  /** Takes a note to show beside the state; empty if all is well. */
  readonly onNote: (note: string) => void;
};

/** Why a conversation could not be taken over; `locked` if another Neovim has it. */
export type OpenError = { readonly kind: "locked" | "failed"; readonly message: string };

/** Several events come for one change: the file is read when they are over, in ms. */
const quietMs = 50;
/** How often the editor is asked again, if the user was typing while it was asked. */
const maxStale = 5;
/** Most copies that one conversation keeps of foreign texts: an agent could change the file endlessly. */
const maxCopies = 50;

/**
 * The file of a conversation that is open, and the one place that decides which text wins if buffer,
 * file and the known text of the file differ (docs/decisions/0012-who-wins.md).
 */
export class DocumentFile {
  readonly #options: DocumentFileOptions;
  #path: string;
  #store: TranscriptStore | undefined;
  #watcher: FSWatcher | undefined;
  #soon: NodeJS.Timeout | undefined;
  #isNamed = false;
  /** The renaming that is under way; never rejects. */
  #naming: Promise<void> = Promise.resolve();
  #copies = 0;
  #underWay: UnfinishedAnswer = "nothing";
  /** The hash of the text that the last copy holds. */
  #lastCopy = "";

  constructor(options: DocumentFileOptions) {
    this.#options = options;
    this.#path = options.path;
  }

  get path(): string {
    return this.#path;
  }

  /** Locks the file for this process, and compares it with the buffer. */
  async open(): Promise<Result<void, OpenError>> {
    const store = await this.#openStoreAt(this.#path);
    if (!store.ok) return store;
    this.#store = store.value;
    this.#watch();
    // The user may have typed while this process started: no event comes for that.
    if (this.textOnDisk() === "" && !isEmpty(this.#options.mirror.text())) this.changed();
    else void this.#store.check();
    return ok();
  }

  /** What an earlier host was writing into the file when it died. */
  get left(): UnfinishedAnswer {
    return this.#store?.left ?? "nothing";
  }

  /** Notes what is being written, so that it is known to be cut off if this host dies. */
  note(what: UnfinishedAnswer): void {
    this.#underWay = what;
    void this.#store?.note(what);
  }

  /** The file's text; empty if there is none, or it cannot be read. */
  textOnDisk(): string {
    try {
      return this.#bytesOnDisk().toString("utf8");
    } catch {
      return "";
    }
  }

  #bytesOnDisk(): Buffer {
    return new KnownFile(this.#path, this.#options.stateDir).bytes();
  }

  #isOnDisk(hash: string): boolean {
    try {
      return textHash(this.#bytesOnDisk()) === hash;
    } catch {
      return false;
    }
  }

  /** Has the file written soon, because the text has changed. */
  changed(): void {
    this.#store?.changed();
  }

  /** Writes the file now, and checks whether others have changed it. */
  async save(): Promise<void> {
    await this.#store?.flush();
    await this.#store?.check();
  }

  /** Writes the rest and lets go of the file; does not write if Lua has the newer text (`isReopened`). */
  async close({ isReopened = false } = {}): Promise<void> {
    this.#watcher?.close();
    clearTimeout(this.#soon);
    // While it changes its name it has two stores, of which one has the text.
    await this.#naming;
    await (isReopened ? this.#store?.abandon() : this.#store?.close());
  }

  /** Writes the text as it is now to a file beside the conversations, and gives its path. */
  async keepCopy(): Promise<Result<string, Failure>> {
    try {
      return ok(this.#keep(this.#options.mirror.text()));
    } catch (thrown) {
      return err(failureOf("copy", "No copy of the conversation could be kept", thrown));
    }
  }

  /**
   * Names the file after the first query: `<date>-<slug>.md`, once. The new file is written and locked
   * before the old one goes, so that a crash leaves two files at worst, and never none.
   */
  nameAfter(query: string): Promise<void> {
    const naming = this.#naming.then(() => this.#nameAfter(query));
    this.#naming = naming.catch(() => undefined);
    return naming;
  }

  async #nameAfter(query: string): Promise<void> {
    const old = this.#store;
    if (old === undefined || this.#isNamed || !isUnnamed(this.#path)) return;
    this.#isNamed = true;
    const path = await freePath(dirname(this.#path), `${datePart(this.#path)}-${slug(query)}`);
    if (path === undefined) return;
    const store = await this.#openStoreAt(path);
    if (!store.ok) {
      this.#options.log.warn({ error: store.error, path }, "the file keeps its name");
      return;
    }
    store.value.changed();
    if (!(await store.value.flush())) {
      // The old name stays, with its lock; writing is tried again there, and a failure shown again.
      this.#isNamed = false;
      await store.value.abandon();
      await removeFile(path, this.#trusted).catch(() => undefined);
      return;
    }
    const oldPath = this.#path;
    this.#path = path;
    this.#store = store.value;
    this.note(this.#underWay);
    // Only the old store knows of changes during that write.
    store.value.changed();
    await old.abandon();
    await removeFile(oldPath, this.#trusted);
    const named = await this.#options.editor.call.buf_set_name(this.#options.buf, path);
    if (!named.ok)
      this.#options.log.warn({ error: named.error.message }, "the name was not reported");
  }

  get #trusted(): { readonly trusted: string } {
    return { trusted: this.#options.stateDir };
  }

  async #openStoreAt(path: string): Promise<Result<TranscriptStore, OpenError>> {
    const { stateDir, mirror, editor, buf, onNote } = this.#options;
    const store = await openStore({
      path,
      stateDir,
      read: () => mirror.fileText(this.#options.meta()),
      deleted: () => mirror.deleted,
      onSaved: () => mirror.forgetDeleted(),
      onOther: (found) => this.#meet(found),
      onLoss: (before) => this.#keepBefore(before),
      onLate: (late) => this.#keepOther(late, textHash(late)),
      onWriting: (hash) => void editor.call.buf_set_saved(buf, hash),
      onProblem: (problem) => {
        onNote(problem === undefined ? "" : "not saved");
        if (problem !== undefined) this.#say("error", problem.message);
      },
    });
    if (store.ok) return store;
    const kind = store.error.kind === "locked" ? "locked" : "failed";
    return err({ kind, message: store.error.message });
  }

  /**
   * Decides about another text in the file, by the first rule that holds: a text that this Neovim wrote
   * or read is not foreign; if nothing here is unsaved and no turn runs, the buffer takes the file's
   * text; otherwise the buffer wins, and the file's text is kept as a copy.
   */
  async #meet({ text, bytes, hash, ...found }: ForeignText): Promise<Verdict> {
    const { editor, buf, mirror, isBusy } = this.#options;
    // Of the same moment as `isUnsaved`: text typed while the editor is asked is unsaved as well.
    const here = mirror.text();
    if (await this.#isOwn(hash, found.isFirst)) return "replace";
    // Before the first write only Lua knows whether the buffer still has the text that it read.
    const isRead = found.isFirst && (await this.#isOwn(textHash(here), true));
    const isUnsaved = found.isUnsaved && !isRead;
    // Another program may be in the middle of writing: an emptied file is usually filled soon.
    await pause(quietMs);
    if (!this.#isOnDisk(hash)) return "look";
    const isBlank = text.trim() === "";
    if (!isBusy() && !isBlank && (!isUnsaved || isEmpty(here))) {
      const read = await editor.call.chat_reload(buf, textHash(here));
      if (read.ok && read.value) return "leave";
    }
    if (!isUnsaved) return "leave";
    if (!isBlank) this.#keepOther(bytes, hash);
    return "replace";
  }

  #keepOther(bytes: Uint8Array, hash: string): void {
    const copy = this.#keepOnce(bytes, hash);
    if (copy === undefined) return;
    const name = basename(this.#path);
    this.#say(
      "warn",
      isUtf8(bytes)
        ? `${name} was changed by another program, and here as well. This text stays; the other one is kept: ${compare(copy)}`
        : `${name} has bytes that are not UTF-8. They are replaced; the file as it was is kept: ${compare(copy)}`,
    );
  }

  /**
   * Whether Lua has written this text; or, before anything was read or written here, has read it, or
   * knows it from an earlier host. Lua answers only if the buffer's text is the one known here: a buffer
   * that was just read again belongs to the next document.
   */
  async #isOwn(hash: string, isFirst: boolean): Promise<boolean> {
    const { editor, buf, mirror } = this.#options;
    for (let attempt = 0; attempt < maxStale; attempt += 1) {
      const own = await editor.call.buf_is_own(buf, hash, textHash(mirror.text()), isFirst);
      if (!own.ok || own.value === "other") return false;
      if (own.value === "own") return true;
    }
    return false;
  }

  /** Keeps the earlier text, because nearly everything was deleted. */
  #keepBefore(before: string): void {
    const copy = this.#keepOnce(before, textHash(before));
    if (copy !== undefined)
      this.#say(
        "info",
        `most of ${basename(this.#path)} was deleted. The earlier text is kept: ${compare(copy)}`,
      );
  }

  /** Keeps a text unless the last copy holds it already. Throws if it cannot be kept. */
  #keepOnce(text: string | Uint8Array, hash: string): string | undefined {
    if (hash === this.#lastCopy) return undefined;
    if (this.#copies >= maxCopies) {
      const message = `another program changes it again and again (${maxCopies} copies are kept): end that program`;
      throw Object.assign(new Error(message), { code: "EOTHER" });
    }
    const path = this.#keep(text);
    this.#lastCopy = hash;
    this.#copies += 1;
    return path;
  }

  #keep(text: string | Uint8Array): string {
    const dir = join(dirname(this.#path), "copies");
    const name = basename(this.#path, ".md");
    for (let n = 1; n < 1000; n += 1) {
      const path = join(dir, n === 1 ? `${name}.md` : `${name}-${n}.md`);
      try {
        writeNew(path, text, { ...this.#trusted, make: true });
        this.#lastCopy = textHash(text);
        return path;
      } catch (cause) {
        if (codeOf(cause) !== "EEXIST") throw cause;
      }
    }
    throw new Error(`there are too many copies in ${dir}: remove some`);
  }

  /**
   * Has the file read when it changes. If it cannot be watched, a write still reads it first, and so does
   * the editor when it gets the focus.
   */
  #watch(): void {
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, (_, name) => {
        if (name !== null && name !== basename(this.#path)) return;
        clearTimeout(this.#soon);
        this.#soon = setTimeout(() => void this.#store?.check(), quietMs);
      });
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch (cause) {
      this.#options.log.info({ err: cause, path: this.#path }, "the file is not watched");
    }
  }

  #say(level: "info" | "warn" | "error", message: string): void {
    void this.#options.editor.call.ui_notify(level, message);
  }
}

/** Whether a text has no words in it, of the user or of Codex. */
function isEmpty(text: string): boolean {
  const { sections, prompt, preamble } = readTranscript(text);
  return prompt === "" && preamble === "" && sections.every((section) => section.text === "");
}

/** The command that shows a copy beside the conversation. */
function compare(path: string): string {
  return `:vertical diffsplit ${path.replace(/[\\ \t%#|"'<*?[{`$!]/g, "\\$&")}`;
}

/** Whether a file still has the name that Lua gave it, such as `2026-11-21-094501.md`. */
function isUnnamed(path: string): boolean {
  return /^\d{4}-\d{2}-\d{2}-\d{6}(?:-\d+)?\.md$/.test(basename(path));
}

/** The date in such a name. */
function datePart(path: string): string {
  return basename(path).slice(0, "2026-11-21".length);
}
