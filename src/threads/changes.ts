import { closeSync, futimesSync, lstatSync, readFileSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { removeFile, writeAtomically, writeNew } from "../atomic-write.ts";
import { holderOf, lockFile, lockPath } from "../chat/file/index.ts";
import { cleanName, readHead, withMeta } from "../chat/format/head/index.ts";
import { bodyStart } from "../chat/format/marks/index.ts";
import { codeOf } from "../error-code.ts";
import { inPlace, openPlace, openPlain } from "../place.ts";
import { err, ok, type Result } from "../result.ts";
import { nameOf } from "./list.ts";
import { messageOf, shortPath } from "./messages.ts";
import { moveFile } from "./move.ts";
import { bringPictures, removePictures } from "./pictures.ts";
import { projectDir } from "./places.ts";

/** A conversation that something is done with. */
export type Subject = {
  readonly path: string;
  readonly stateDir: string;
  /** The project's directory; absent where it is not known. */
  readonly root?: string | undefined;
  readonly thread?: string | undefined;
  /** Its name, where a list has told it. */
  readonly name?: string | undefined;
  readonly archived: boolean;
  /** Where it is open in the editor: whether a turn runs, and how its text begins. */
  readonly open?: { readonly isBusy: boolean; readonly head: string } | undefined;
};

/** What is done with it; `check` only tells whether it can be deleted, and its name. */
export type Task = "check" | "rename" | "archive" | "unarchive" | "delete";

/** What Codex is to do with a thread, where it runs in the project. */
export type CodexRequest = {
  readonly task: "rename" | "archive" | "unarchive" | "delete";
  readonly root: string;
  readonly thread: string;
  readonly name?: string;
};

/** Whether Codex has done it, and why not where it was asked. */
export type CodexAnswer = { readonly isTold: boolean; readonly reason?: string };

/** What the changes need of others. */
export type ChangePorts = {
  readonly tellCodex: (request: CodexRequest) => Promise<CodexAnswer>;
  /** Has the editor save and close the conversation; false where a turn has begun in it. */
  readonly letGo: (path: string) => Promise<boolean>;
  /** Called with the path of a file that was moved, removed or rewritten. */
  readonly onChanged: (path: string) => void;
};

/** What was done, in a sentence for the user, or why not. */
export type Outcome = Result<{ readonly name: string; readonly message: string }, string>;

/** The largest conversation that is renamed while it is closed. */
const MAX_BYTES = 64 * 1024 * 1024;
/** How long to wait until this Neovim's own host lets go of a file that is being closed, and how often to look. */
const WAIT_MS = 5000;
const STEP_MS = 50;
/** An id as Codex gives it to threads: also the name of a note that one is to be deleted. */
export const THREAD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A conversation under its name. */
type Named = Subject & { readonly name: string };

/** Does what the user asks for with conversations as files, one after another. */
export class ThreadChanges {
  readonly #ports: ChangePorts;
  #last: Promise<unknown> = Promise.resolve();

  constructor(ports: ChangePorts) {
    this.#ports = ports;
  }

  /** `newName` is that of a rename. Rejects only for bugs. */
  run(task: Task, subject: Subject, newName = ""): Promise<Outcome> {
    const next = this.#last.then(() => this.#run(task, named(subject), newName));
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #run(task: Task, subject: Named, newName: string): Promise<Outcome> {
    if (task === "archive" && subject.archived)
      return err(`“${subject.name}” is archived already.`);
    if (task === "unarchive" && !subject.archived) return err(`“${subject.name}” is not archived.`);
    const refusal = await refusalOf(task === "check" ? "delete" : task, subject);
    if (refusal !== undefined) return err(refusal);
    switch (task) {
      case "check":
        return ok({ name: subject.name, message: "" });
      case "rename":
        return this.#rename(subject, newName);
      case "archive":
        return this.#move(subject, task, `${dirname(subject.path)}/archive`);
      case "unarchive":
        return this.#move(subject, task, dirname(dirname(subject.path)));
      case "delete":
        return this.#delete(subject);
    }
  }

  /** Of an open conversation the editor changes the text; only Codex is told here. */
  async #rename(subject: Named, newName: string): Promise<Outcome> {
    const name = cleanName(newName);
    if (name === "") return err("a name needs at least one visible character.");
    if (subject.open === undefined) {
      const failure = await this.#alone(subject, () => writeName(subject, name));
      if (failure !== undefined) return err(failure);
    }
    await this.#tell(subject, "rename", name);
    return ok({ name, message: `the conversation is named “${name}”.` });
  }

  async #move(subject: Named, task: "archive" | "unarchive", to: string): Promise<Outcome> {
    // First, because closing the last conversation may end Codex in the project.
    await this.#tell(subject, task);
    const failure = await this.#alone(subject, async () => {
      try {
        moveFile(subject.path, to, subject.stateDir);
      } catch (cause) {
        throw new Error(`was not moved to ${shortPath(to)}: ${messageOf(cause, to)}`, { cause });
      }
      bringPictures(subject.path, to, subject.stateDir);
    });
    if (failure !== undefined) return err(failure);
    const message =
      task === "archive"
        ? `“${subject.name}” is archived. \`:CodexChat threads archived\` lists it.`
        : `“${subject.name}” is back from the archive.`;
    return ok({ name: subject.name, message });
  }

  async #delete(subject: Named): Promise<Outcome> {
    const { isTold, reason } = await this.#tell(subject, "delete");
    const failure = await this.#alone(subject, async () => {
      try {
        await removeFile(subject.path, { trusted: subject.stateDir });
      } catch (cause) {
        throw new Error(`was not deleted: ${messageOf(cause, subject.path)}`, { cause });
      }
      await removePictures(subject.path, subject.stateDir);
    });
    if (failure !== undefined) return err(failure);
    // Also after a refusal: Codex is asked again at its next start.
    const later = isTold ? undefined : await noteForCodex(subject);
    const note = reason?.replace(/\.$/, "") ?? later;
    return ok({
      name: subject.name,
      message: `“${subject.name}” is deleted${note === undefined ? "" : `; ${note}`}.`,
    });
  }

  #tell({ root, thread }: Named, task: CodexRequest["task"], name?: string): Promise<CodexAnswer> {
    if (root === undefined || thread === undefined) return Promise.resolve({ isTold: false });
    return this.#ports.tellCodex({ task, root, thread, ...(name === undefined ? {} : { name }) });
  }

  /** Closes the conversation here and calls `run` with its lock held. Gives the reason where it did not. */
  async #alone(subject: Named, run: () => Promise<void>): Promise<string | undefined> {
    if (!(await this.#ports.letGo(subject.path)))
      return `a turn has begun in “${subject.name}”: nothing was done.`;
    const taken = await takeLock(subject.path, subject.stateDir);
    if (!taken.ok) return `“${subject.name}” is left as it is: ${taken.error}.`;
    try {
      const there = kindOf(subject);
      if (there === "absent") return `${shortPath(subject.path)} is gone.`;
      await run();
      return undefined;
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      return `“${subject.name}” ${words}.`;
    } finally {
      await taken.value();
      this.#ports.onChanged(subject.path);
    }
  }
}

function named(subject: Subject): Named {
  const { open, path } = subject;
  if (open === undefined) return { ...subject, name: subject.name ?? nameOf({ query: "" }, path) };
  const head = readHead(open.head);
  return { ...subject, name: nameOf(head, path), thread: head.thread ?? subject.thread };
}

/** Why the file cannot be had, in a sentence; undefined where it can. */
async function refusalOf(
  task: Exclude<Task, "check">,
  subject: Named,
): Promise<string | undefined> {
  const path = shortPath(subject.path);
  const isInText = task === "rename" && subject.open !== undefined;
  if (subject.open?.isBusy === true && !isInText)
    return `a turn is running in “${subject.name}”. Wait for its end, or stop it with :CodexChat stop.`;
  if (!isInText) {
    const kind = kindOf(subject);
    if (kind === "absent" && subject.open !== undefined)
      return `nothing of this conversation is saved yet: there is nothing to ${task}.`;
    if (kind === "absent") return `${path} is gone: there is nothing to ${task}.`;
    if (kind === "strange") return `${path} is not a plain file any more.`;
    if (kind !== "file") return `“${subject.name}” is left as it is: ${kind.problem}.`;
  }
  const lock = lockPath(subject.path, subject.stateDir);
  if ((await holderOf(lock)) === "other")
    return `“${subject.name}” is open in another Neovim, which writes it; ${task} it there.`;
  return undefined;
}

/** What stands at the path, without following a link on the way to it. */
function kindOf(subject: Subject): "file" | "absent" | "strange" | { readonly problem: string } {
  try {
    const fd = openPlace(dirname(subject.path), { trusted: subject.stateDir });
    try {
      return lstatSync(inPlace(fd, basename(subject.path))).isFile() ? "file" : "strange";
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    return codeOf(cause) === "ENOENT" ? "absent" : { problem: messageOf(cause, subject.path) };
  }
}

/** Takes the conversation's lock, waiting for this Neovim's own host; gives the function that releases it. */
async function takeLock(
  path: string,
  stateDir: string,
): Promise<Result<() => Promise<void>, string>> {
  const lock = lockPath(path, stateDir);
  try {
    await mkdir(dirname(lock), { recursive: true, mode: 0o700 });
  } catch (cause) {
    return err(messageOf(cause, dirname(lock)));
  }
  for (let left = WAIT_MS; ; left -= STEP_MS) {
    const taken = await lockFile(path, lock);
    if (taken.ok) return ok(taken.value.release);
    if (taken.error.kind !== "locked") return err(taken.error.message);
    if ((await holderOf(lock)) === "other")
      return err("it is open in another Neovim; close it there first");
    if (left <= 0) return err(`it is still being written; try again, or look at ${lock}`);
    await delay(STEP_MS);
  }
}

/** Puts the name into the front matter; all other bytes, and the file's age, stay as they are. */
async function writeName(subject: Named, name: string): Promise<void> {
  const { path, stateDir } = subject;
  try {
    const { bytes, atimeNs, mtimeNs } = readWhole(path, stateDir);
    const front = bodyStart(bytes.toString("latin1")) || bomOf(bytes);
    const head = withMeta(bytes.subarray(0, front).toString("utf8"), { name });
    const whole = Buffer.concat([Buffer.from(head), bytes.subarray(front)]);
    await writeAtomically(path, whole, { trusted: stateDir });
    withPlain(path, stateDir, ({ fd }) => {
      futimesSync(fd, Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9);
    });
  } catch (cause) {
    throw new Error(`was not renamed: ${messageOf(cause, path)}`, { cause });
  }
}

/** The length of the byte order mark, which stays first. */
function bomOf(bytes: Buffer): number {
  return bytes.subarray(0, 3).equals(Buffer.from("\ufeff")) ? 3 : 0;
}

function readWhole(path: string, stateDir: string) {
  return withPlain(path, stateDir, ({ fd, stat: { size, atimeNs, mtimeNs } }) => {
    if (size > MAX_BYTES) throw new Error(`${path} is larger than 64 MB`);
    return { bytes: readFileSync(fd), atimeNs, mtimeNs };
  });
}

function withPlain<T>(
  path: string,
  stateDir: string,
  use: (file: ReturnType<typeof openPlain>) => T,
): T {
  const dir = openPlace(dirname(path), { trusted: stateDir });
  try {
    const file = openPlain(inPlace(dir, basename(path)), path);
    try {
      return use(file);
    } finally {
      closeSync(file.fd);
    }
  } finally {
    closeSync(dir);
  }
}

/** Notes that Codex must forget the thread when it next runs in the project; gives a sentence about it. */
async function noteForCodex({ root, thread, stateDir }: Named): Promise<string | undefined> {
  if (root === undefined || thread === undefined || !THREAD_ID.test(thread)) return undefined;
  const dir = projectDir(stateDir, root);
  if ((await stat(root).catch(() => undefined)) === undefined)
    return `what Codex keeps of it stays in ${shortPath(`${dir}/codex-home`)}, because its project is gone`;
  try {
    writeNew(`${dir}/forget/${thread}`, "\n", { trusted: stateDir, make: true });
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") return `Codex still remembers it: ${messageOf(cause, dir)}`;
  }
  return "Codex forgets it when it next runs in this project";
}
