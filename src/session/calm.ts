/**
 * Calls `run` at once, and while it is asked for again within `ms` only once more, at their end, with
 * what was asked for last.
 *
 * SECURITY: for calls of the editor that a message from the sandbox leads to. They are not in the
 * frames, whose number is bounded.
 */
export function throttle<Args extends readonly unknown[]>(
  run: (...args: Args) => void,
  ms: number,
): (...args: Args) => void {
  let timer: NodeJS.Timeout | undefined;
  let waiting: Args | undefined;
  const rest = (): void => {
    timer = undefined;
    if (waiting === undefined) return;
    const args = waiting;
    waiting = undefined;
    begin(args);
  };
  const begin = (args: Args): void => {
    run(...args);
    timer = setTimeout(rest, ms).unref();
  };
  return (...args) => {
    if (timer === undefined) begin(args);
    else waiting = args;
  };
}
