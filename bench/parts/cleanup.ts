/** What must be put away however the run ends: a kill by a signal runs no `finally`. */
const open = new Set<() => unknown>();

/** Registers something to put away. The returned function does it, once. */
export function atEnd(putAway: () => unknown): () => Promise<void> {
  open.add(putAway);
  return async () => {
    if (open.delete(putAway)) await putAway();
  };
}

/** Puts away all that is still there, the latest first, whatever of it fails. */
async function putAllAway(): Promise<void> {
  for (const putAway of [...open].reverse()) {
    open.delete(putAway);
    try {
      await putAway();
    } catch (error) {
      console.error(error);
    }
  }
}

/** Runs the benchmark; whatever comes, a signal included, all is put away before the process ends. */
export async function tidily(run: () => Promise<void>): Promise<void> {
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= putAllAway().finally(() => process.exit(1));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  process.once("uncaughtException", (error) => {
    // What is put away under a measurement makes that fail, too.
    if (stopping === undefined) console.error(error);
    stop();
  });
  try {
    await run();
  } catch (error) {
    if (stopping === undefined) throw error;
  } finally {
    await (stopping ?? putAllAway());
  }
}
