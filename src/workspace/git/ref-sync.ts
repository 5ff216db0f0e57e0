import { ok, type Result } from "../../result.ts";
import { type Head, headText, type Oid, type Refs } from "./refs.ts";

/** One change of a ref on the private side; `undefined` is a ref that is absent. */
export type RefChange = {
  readonly name: string;
  readonly from: Oid | undefined;
  readonly to: Oid | undefined;
};

/** The state of both sides when they were last the same. */
export type Base = {
  readonly head: Head | undefined;
  readonly refs: ReadonlyMap<string, Oid>;
};

/** The changes on the private side that follow the real one. */
export type SyncPlan = {
  readonly changes: readonly RefChange[];
  /** The new HEAD; undefined if it stays. */
  readonly head: Head | undefined;
  /** Branches that both sides have changed; the agent's stay. */
  readonly diverged: readonly string[];
};

/** Whether the user's commit may replace the agent's. Errors: a part of a sentence. */
export type MayGiveWay = (agents: Oid, users: Oid) => Promise<Result<boolean, string>>;

/**
 * Decides what the private side takes over. A branch that the agent has not changed follows. One with
 * the agent's commits stays, unless the user's branch has them or has the same content. HEAD follows
 * when the user has switched branches: the work tree then has that branch's files.
 */
export async function planSync(
  base: Base,
  real: Base,
  own: Pick<Refs, "head" | "refs">,
  mayGiveWay: MayGiveWay,
): Promise<Result<SyncPlan, string>> {
  const changes: RefChange[] = [];
  const diverged: string[] = [];
  for (const name of new Set([...base.refs.keys(), ...real.refs.keys()])) {
    const [then, now, agents] = [base.refs.get(name), real.refs.get(name), own.refs.get(name)];
    if (then === now || now === agents) continue;
    const isUntouched = agents === then || agents === undefined;
    const gives = isUntouched
      ? ok(true)
      : now === undefined
        ? ok(false)
        : await mayGiveWay(agents, now);
    if (!gives.ok) return gives;
    if (gives.value) changes.push({ name, from: agents, to: now });
    else diverged.push(name);
  }
  const hasMoved = real.head !== undefined && !isSameHead(real.head, base.head);
  const isElsewhere = real.head !== undefined && !isSameHead(real.head, own.head);
  return ok({ changes, head: hasMoved && isElsewhere ? real.head : undefined, diverged });
}

/** Whether two HEADs are at the same branch or commit. */
export function isSameHead(a: Head | undefined, b: Head | undefined): boolean {
  return (a && headText(a)) === (b && headText(b));
}
