import { LookError } from "../../../look.ts";
import { err, type Result } from "../../../result.ts";

/** Runs looks at the real repository; a failed look becomes an error with the command that fixes it. */
export async function looked<T>(run: () => Promise<Result<T, string>>): Promise<Result<T, string>> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof LookError) return err(lookProblem(cause));
    throw cause;
  }
}

/** The failed look as a part of a sentence. */
export function lookProblem({ message, fix }: LookError): string {
  return `${message}; look at it: \`${fix}\``;
}
