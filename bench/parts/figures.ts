/** The middle one of some figures. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Measures several times, one after the other. */
export async function repeat(
  times: number,
  measure: (n: number) => Promise<number>,
): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < times; n++) all.push(await measure(n));
  return all;
}
