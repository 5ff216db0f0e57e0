/** The transition of a turn by itself: any input in any phase. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { step } from "./turn-machine.ts";
import {
  IDLE,
  isBusy,
  type TurnEffect,
  type TurnInput,
  type TurnMachine,
  winbarOf,
} from "./turn-state.ts";

const query = (id: string) => ({ id, text: `text of ${id}` });
const ids = fc.nat(12).map((n) => `q${n}`);
const turnIds = fc.constantFrom("t1", "t2");
const numbers = fc.integer({ min: 1, max: 6 });
const ends = fc.constantFrom("completed", "interrupted", "failed").map((status) => ({ status }));
const failures = fc
  .constantFrom("stopped", "dropped", "closed")
  .map((kind) => ({ kind, message: "No." }));

/** Inputs as they may come from a confused world: any number, any turn, at any time. */
const inputs: fc.Arbitrary<TurnInput> = fc.oneof(
  fc.record({
    type: fc.constant("query" as const),
    query: ids.map(query),
    mode: fc.constantFrom("steer" as const, "queue" as const),
  }),
  fc.constantFrom(
    { type: "retry", queries: [], sections: 0 } as const,
    { type: "request", request: async () => ({ ok: true, value: undefined }) } as const,
    { type: "stop" } as const,
    { type: "stop" } as const,
    { type: "close" } as const,
  ),
  fc.record({
    type: fc.constantFrom("requested" as const),
    number: numbers,
    queries: fc.constant([]),
  }),
  fc.record({
    type: fc.constantFrom("request_refused" as const, "steered" as const, "steer_refused" as const),
    number: numbers,
  }),
  fc.record({
    type: fc.constant("started" as const),
    number: numbers,
    turnId: fc.option(turnIds, { nil: undefined }),
  }),
  fc.record({ type: fc.constant("start_failed" as const), number: numbers, failure: failures }),
  fc.record({
    type: fc.constantFrom("turn_started" as const, "adopted" as const),
    turnId: turnIds,
  }),
  fc.record({ type: fc.constant("turn_completed" as const), turnId: turnIds, end: ends }),
  fc.record({ type: fc.constant("backend_ended" as const), failure: failures }),
  fc.record({ type: fc.constantFrom("echoed" as const, "accepted" as const), id: ids }),
  fc.record({ type: fc.constant("hooks_ended" as const), number: numbers }),
  fc.record({ type: fc.constant("questions" as const), pending: fc.nat(2) }),
) as fc.Arbitrary<TurnInput>;

/** All ids that a machine holds, wherever they are. */
function held({ phase, queue }: TurnMachine): string[] {
  const inPhase =
    phase.at === "starting" || phase.at === "stopping_start"
      ? // What was requested stands among the unconfirmed.
        phase.start.isRequested
        ? []
        : phase.start.queries
      : phase.at === "ending"
        ? [...phase.again, ...phase.next]
        : [];
  const unconfirmed = queue.unconfirmed.flatMap(({ queries }) => queries);
  return [...inPhase, ...queue.waiting, ...queue.held, ...unconfirmed].map(({ id }) => id);
}

/** Whether a conversation can give this input: its own requests come in their order. */
function isPossible({ phase }: TurnMachine, input: TurnInput): boolean {
  const start = "start" in phase ? phase.start : undefined;
  if (!("number" in input) || input.type === "hooks_ended") return true;
  if (input.type === "steered" || input.type === "steer_refused")
    return start?.number !== input.number;
  if (input.type === "requested") return start?.isRequested === false;
  return input.type === "start_failed" || start?.isRequested === true || start === undefined;
}

/** The number that an input of this type is about, if there is one; small numbers stand for it. */
function aimed(machine: TurnMachine, input: TurnInput): TurnInput {
  if (!("number" in input) || input.number > 4) return input;
  const { phase, queue } = machine;
  const steered = queue.unconfirmed.find(({ isShown }) => !isShown)?.number;
  const own =
    input.type === "steered" || input.type === "steer_refused"
      ? steered
      : phase.at === "ending"
        ? phase.number
        : "start" in phase
          ? phase.start.number
          : undefined;
  return own === undefined ? input : { ...input, number: own };
}

/** One input as it comes from the conversation, which answers `judge` at once. */
function drive(
  machine: TurnMachine,
  random: TurnInput,
): { readonly machine: TurnMachine; readonly effects: readonly TurnEffect[] } {
  const input = aimed(machine, random);
  if (!isPossible(machine, input)) return { machine, effects: [] };
  const { phase, queue } = machine;
  const real: TurnInput =
    input.type === "retry"
      ? { ...input, queries: queue.held }
      : input.type === "requested" && "start" in phase
        ? { ...input, queries: phase.start.queries }
        : input;
  const next = step(machine, real);
  const judged = next.effects.find((effect) => effect.type === "judge");
  if (judged === undefined) return next;
  const last = step(next.machine, { type: "judged", end: judged.end, again: [] });
  return { machine: last.machine, effects: [...next.effects, ...last.effects] };
}

/** Any inputs; each query is sent once, by an id of its own, as the editor does. */
const sequences = fc
  .array(inputs, { maxLength: 40 })
  .map((all) =>
    all.map((input, n) => (input.type === "query" ? { ...input, query: query(`q${n}`) } : input)),
  );

describe("a turn's transition", () => {
  it("never throws, never begins twice at a time, and never begins once it is closed", () => {
    fc.assert(
      fc.property(sequences, (all) => {
        let machine = IDLE;
        for (const input of all) {
          const { at } = machine.phase;
          const next = drive(machine, input);
          machine = next.machine;
          const types = next.effects.map(({ type }) => type);
          const starts = types.filter((type) => type === "start");
          expect(starts.length).toBeLessThanOrEqual(1);
          if (starts.length > 0) expect(["idle", "ending"]).toContain(at);
          if (at !== "closed") continue;
          expect(machine.phase.at).toBe("closed");
          for (const type of types)
            expect(["interrupt", "end_hooks_unseen", "queries_accepted"]).toContain(type);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("ends every turn and its hooks once", () => {
    fc.assert(
      fc.property(sequences, (all) => {
        let machine = IDLE;
        let running = 0;
        const ended = new Set<number>();
        for (const input of all) {
          const next = drive(machine, input);
          // Codex's own turns begin without a start.
          if (input.type === "adopted" && next.machine.phase.at === "running")
            if (machine.phase.at !== "running") running += 1;
          machine = next.machine;
          for (const effect of next.effects) {
            if (effect.type === "start") running += 1;
            if (effect.type === "turn_over") running -= 1;
            if (effect.type !== "end_hooks") continue;
            expect(ended.has(effect.number)).toBe(false);
            ended.add(effect.number);
          }
          if (machine.phase.at === "closed") return;
          const isUnderWay = isBusy(machine) && machine.phase.at !== "ending";
          expect(running).toBe(isUnderWay ? 1 : 0);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps each query in one place until Codex has it, and never waits for an end that cannot come", () => {
    fc.assert(
      fc.property(sequences, (all) => {
        let machine = IDLE;
        const there = new Set<string>();
        for (const input of all) {
          if (input.type === "query") there.add(input.query.id);
          const isDropped = input.type === "start_failed" && input.failure.kind === "dropped";
          const before = held(machine);
          machine = drive(machine, input).machine;
          if (machine.phase.at === "closed") return;
          const after = held(machine);
          if (isDropped || input.type === "accepted")
            for (const id of before) if (!after.includes(id)) there.delete(id);
          expect(after.toSorted()).toEqual([...there].toSorted());
          if (machine.phase.at !== "idle") continue;
          expect([machine.queue.waiting, machine.queue.unconfirmed]).toEqual([[], []]);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("ends a turn once if Codex ends and loses it before it answers with its id", () => {
    const inputs: readonly TurnInput[] = [
      { type: "query", query: query("a"), mode: "steer" },
      { type: "requested", number: 1, queries: [query("a")] },
      { type: "backend_ended", failure: { kind: "backend", message: "It is gone." } },
      { type: "turn_completed", turnId: "t1", end: { status: "completed" } },
      { type: "started", number: 1, turnId: "t1" },
    ];
    const effects: TurnEffect[] = [];
    let machine = IDLE;
    for (const input of inputs) {
      const next = step(machine, input);
      machine = next.machine;
      effects.push(...next.effects);
    }
    expect(effects.filter(({ type }) => type === "turn_over")).toHaveLength(1);
  });

  it("shows no query of a chat that is closed", () => {
    const inputs: readonly TurnInput[] = [
      { type: "adopted", turnId: "t1" },
      { type: "query", query: query("a"), mode: "steer" },
      { type: "close" },
    ];
    const machine = inputs.reduce((so, input) => step(so, input).machine, IDLE);
    expect(step(machine, { type: "steered", number: 1 }).effects).toEqual([]);
    expect(step(machine, { type: "echoed", id: "a" }).effects).toEqual([]);
  });

  it("ignores results of another start", () => {
    const first = step(IDLE, { type: "query", query: query("a"), mode: "steer" });
    const { machine } = step(first.machine, {
      type: "requested",
      number: 1,
      queries: [query("a")],
    });
    for (const input of [
      { type: "started", number: 2, turnId: "t1" },
      { type: "start_failed", number: 2, failure: { kind: "closed", message: "No." } },
      { type: "request_refused", number: 2 },
    ] as const)
      expect(step(machine, input)).toEqual({ machine, effects: [] });
  });

  it("shows in the winbar that a question waits in any phase, and nothing once it is closed", () => {
    fc.assert(
      fc.property(sequences, (all) => {
        const machine = all.reduce((now, input) => drive(now, input).machine, IDLE);
        const shown = winbarOf(machine);
        if (machine.phase.at === "closed") expect(shown).toBeUndefined();
        else if (machine.questions > 0) expect(shown?.phase).toBe("waiting");
        else if (isBusy(machine)) expect(["starting", "running"]).toContain(shown?.phase);
        else expect(["idle", "failed"]).toContain(shown?.phase);
      }),
    );
  });
});
