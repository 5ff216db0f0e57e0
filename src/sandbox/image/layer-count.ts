import type { Progress } from "../../log.ts";

const BEGUN = /^(\w+): (?:Pulling fs layer|Already exists)$/;
const DONE = /^(\w+): (?:Pull complete|Already exists)$/;

/** Turns the lines of a pull into progress: how many of the image's layers are there. */
export class LayerCount {
  readonly #name: string;
  readonly #onProgress: (what: Progress) => void;
  readonly #all = new Set<string>();
  readonly #done = new Set<string>();

  constructor(name: string, onProgress: (what: Progress) => void) {
    this.#name = name;
    this.#onProgress = onProgress;
    onProgress({ text: `Downloading ${name}`, shorter: ["Downloading the image"] });
  }

  /** Takes a line of the pull's output. */
  onLine(line: string): void {
    const [, begun] = BEGUN.exec(line) ?? [];
    if (begun !== undefined) this.#all.add(begun);
    const [, done] = DONE.exec(line) ?? [];
    if (done === undefined || !this.#all.has(done) || this.#done.has(done)) return;
    this.#done.add(done);
    const layers = `${this.#done.size} of ${this.#all.size} layers`;
    this.#onProgress({
      text: `Downloading ${this.#name}: ${layers}`,
      shorter: [`Downloading the image: ${layers}`, layers],
    });
  }
}
