/** An error that the set-up can meet in ordinary use, with the commands that fix it. */
export type SetupError = {
  readonly kind: "unsupported" | "missing" | "network" | "command" | "engine";
  readonly message: string;
  /** Commands to run or things to do, one per line; empty if none is known. */
  readonly fix: readonly string[];
};

/** Carries a `SetupError` up to `setUp`, which turns it into a value. */
export class SetupFailure extends Error {
  readonly error: SetupError;

  constructor(error: SetupError, options?: ErrorOptions) {
    super(error.message, options);
    this.name = "SetupFailure";
    this.error = error;
  }
}

/** Throws a `SetupFailure`. */
export function failSetup(
  kind: SetupError["kind"],
  message: string,
  fix: readonly string[] = [],
  cause?: unknown,
): never {
  throw new SetupFailure({ kind, message, fix }, cause === undefined ? undefined : { cause });
}
