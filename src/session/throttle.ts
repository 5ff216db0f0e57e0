/**
 * Throttles `run`: the first call runs at once; of further calls within `ms`, only the last one
 * runs, at the end of that time.
 *
 * SECURITY: for calls into the editor that messages from the sandbox cause. Unlike edits, they do
 * not go through frames, whose rate is bounded.
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
