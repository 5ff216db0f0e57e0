/**
 * What an attempt is, and how a list of them becomes tests: each is made against the product, where
 * it must fail, and against a control in which that protection is off, where it must succeed. So a
 * protection that is lost turns a test red, and so does an attempt that would never have worked.
 */
import { appendFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type AttackRow, REPORT_VARIABLE } from "./table.ts";

/** How an attempt ended, and in a few words what showed it. */
export type Verdict = { readonly fell: boolean; readonly seen: string };

/** The protection fell where `isFallen`; `seen` tells what was looked at. */
export const verdict = (isFallen: boolean, seen: string): Verdict => ({ fell: isFallen, seen });

/** One attack from inside. */
export type Attempt = {
  /** A few words, unique in its group. */
  readonly name: string;
  /** What the attacker does. */
  readonly tries: string;
  /** What must happen, in the present tense. */
  readonly mustHappen: string;
  /** Against the product. */
  readonly run: () => Promise<Verdict>;
  /** The same where the protection is off. */
  readonly control: () => Promise<Verdict>;
  /** False where this user cannot have the control. */
  readonly isPossible?: boolean;
};

/** An attempt that is the same function against the product and against the control. */
export function attempt<T>(what: {
  readonly name: string;
  readonly tries: string;
  readonly mustHappen: string;
  readonly strike: (target: T) => Promise<Verdict>;
  readonly product: () => Promise<T>;
  readonly control: () => Promise<T>;
  readonly isPossible?: boolean;
}): Attempt {
  const { strike, product, control, ...rest } = what;
  return {
    ...rest,
    run: async () => strike(await product()),
    control: async () => strike(await control()),
  };
}

/** Turns a group of attempts into tests, whose outcome `npm run attack` shows as a table. */
export function group(name: string, attempts: readonly Attempt[], timeoutMs = 150_000): void {
  describe(`the attack on ${name}`, { timeout: timeoutMs }, () => {
    for (const what of attempts) {
      it.runIf(what.isPossible ?? true)(`${what.name}: ${what.mustHappen}`, async () => {
        const { product, control, seen, seenInControl } = await made(name, what);
        const shown = `the product's: ${seen}; the control's: ${seenInControl}`;
        expect({ product, control }, shown).toEqual({ product: "held", control: "fell" });
      });
    }
  });
}

/** Makes an attempt and its control, and reports them as far as they came. */
async function made(groupName: string, { name, tries, run, control }: Attempt): Promise<AttackRow> {
  const row: AttackRow = { group: groupName, name, tries };
  try {
    const product = await run();
    row.product = product.fell ? "FELL" : "held";
    row.seen = product.seen;
    const weak = await control();
    row.control = weak.fell ? "fell" : "HELD";
    row.seenInControl = weak.seen;
    return row;
  } finally {
    report(row);
  }
}

function report(row: AttackRow): void {
  const path = process.env[REPORT_VARIABLE];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(row)}\n`);
}
