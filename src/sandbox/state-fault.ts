import { quoteForShell } from "../look.ts";
import type { SandboxError } from "./error.ts";

/**
 * Something of this user's state that could not be looked at, or is not as it was left.
 *
 * SECURITY: thrown, because each caller would go on with what it takes for an answer: an absent
 * record, a dead holder, a free lock.
 */
export class StateFault extends Error {
  readonly path: string;
  readonly fix: string;
  /** It is another user's, which is no news where the path is another's word. */
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

  /** Of a file or directory that may be there and cannot be read. */
  static unreadable(path: string, cause: unknown): StateFault {
    const { code, message } = cause as NodeJS.ErrnoException;
    return new StateFault({
      path,
      message: `${path} cannot be read (${code ?? message}).`,
      fix: `ls -ld ${quoteForShell(path)}\nchmod u+rwX ${quoteForShell(path)}`,
      cause,
    });
  }

  /** As the sandbox's callers get it. */
  get error(): SandboxError {
    const { path, message, fix, cause } = this;
    return { kind: "state_unwritable", path, message, fix, cause };
  }
}
