/** Reports the steps that take time, one short line each. */
export type Progress = (line: string) => void;

/** Writes progress to stderr. */
export const toStderr: Progress = (line) => {
  process.stderr.write(`codex-chat: ${line}\n`);
};

/** Steps that take longer are announced, so that nobody wonders what is going on. */
const LONG_MS = 1_000;

/** Runs a step; reports how many seconds it took if it took long, or that it failed. */
export async function step<T>(
  progress: Progress,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const announcement = setTimeout(() => progress(`${name} …`), LONG_MS);
  try {
    const value = await work();
    if (performance.now() - started >= LONG_MS) progress(`${name}: ready (${seconds()})`);
    return value;
  } catch (cause) {
    progress(`${name}: failed after ${seconds()}`);
    throw cause;
  } finally {
    clearTimeout(announcement);
  }
}
