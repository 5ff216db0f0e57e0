import type { Result } from "../result.ts";
import { type Failure, STOPPED } from "./failure.ts";

/** Settles when the signal is aborted, with the failure of a wait that the user ended. */
export function stopped(signal: AbortSignal): Promise<Result<never, Failure>> {
  return new Promise((resolve) => {
    const give = () => resolve({ ok: false, error: STOPPED });
    if (signal.aborted) give();
    else signal.addEventListener("abort", give, { once: true });
  });
}
