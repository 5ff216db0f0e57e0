import { quoteForShell } from "../look.ts";
import type { SandboxError } from "./error.ts";

/**
 * A file of this user's state directory that could not be read, or is not as this program left it.
 * Beside `LookError`, which is about the user's files: this one becomes `state_unwritable`.
 *
 * SECURITY: it is thrown, because a caller that went on would take the failure for an answer: no
 * record, a dead holder, a free lock.
 */
export class StateFault extends Error {
  readonly path: string;
  readonly fix: string;
  /** The file belongs to another user, who may also have chosen the path. */
  readonly isAnothers: boolean;

  constructor(what: {
    readonly path: string;
    readonly message: string;
    readonly fix: string;
    readonly isAnothers?: boolean;
    readonly cause?: unknown;
  }) {
    super(what.message, { cause: what.cause });
    this.path = what.path;
    this.fix = what.fix;
    this.isAnothers = what.isAnothers ?? false;
  }

  /** The fault for a file or directory that may exist and cannot be read. */
  static unreadable(path: string, cause: unknown): StateFault {
    const { code, message } = cause as NodeJS.ErrnoException;
    return new StateFault({
      path,
      message: `${path} cannot be read (${code ?? message}).`,
      fix: `ls -ld ${quoteForShell(path)}\nchmod u+rwX ${quoteForShell(path)}`,
      cause,
    });
  }

  /** The same fault as the sandbox's callers get it. */
  get error(): SandboxError {
    const { path, message, fix, cause } = this;
    return { kind: "state_unwritable", path, message, fix, cause };
  }
}
