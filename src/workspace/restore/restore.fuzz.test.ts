import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Act, RecordedProject } from "../../../test/support/recorded-project.ts";

/** Each takes a second on a busy machine; hundreds find no more. */
const RUNS = Number(process.env["RUNS"] ?? 6);

/** Few, so that acts meet each other; each of them is odd to somebody. */
const NAMES = [
  ...["a", "b", "d", "x y", "n\nl", '"q"', "b\\s", "\xff\xfe", "-r", "CON", "a:b", "h\xe2\x80\x8c"],
  ...[".gitmodules", ".gitattributes", "k.ign", "out", ":(top)a", "*"],
];
const name = fc.constantFrom(...NAMES);
const path = fc.oneof(
  { weight: 3, arbitrary: name },
  { weight: 2, arbitrary: fc.tuple(name, name).map((names) => names.join("/")) },
  fc.tuple(name, name, name).map((names) => names.join("/")),
);
const LINES = Array.from({ length: 12 }, (_, n) => `line ${n} of some text\n`).join("");
const text = fc.oneof(
  fc.constantFrom("", "one\n", "no newline", "a\r\nb\r\n", LINES, LINES.replaceAll("\n", "\r\n")),
  fc.constantFrom("\xff\xfe\x00\x01binary", "latin1: \xe4\xf6\n", "version https://git-lfs\n", "b"),
  fc.nat(3).map((n) => `${LINES}${n}\n`),
);
const mode = fc.constantFrom(0o644, 0o755, 0o600, 0o664, 0o444, 0o700);
const target = fc.constantFrom("b", "/etc/passwd", "../outside", "gone", "a/b", ".", "d");

function acts(who: string, maxLength: number): fc.Arbitrary<Act[]> {
  // Each line of the user's is told apart from all others.
  let count = 0;
  const line = fc.constant(0).map(() => `by ${who} ${count++}\n`);
  const act: fc.Arbitrary<Act> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("write"), path, text, mode }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("edit"), path, line, top: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("remove"), path }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("rename"), path, to: path }) },
    fc.record({ do: fc.constant("mkdir"), path }),
    fc.record({ do: fc.constant("chmod"), path, mode }),
    // Git refuses a link of that name.
    fc
      .record({ do: fc.constant("link"), path, target })
      .filter((act) => !act.path.endsWith(".gitmodules")),
  ) as fc.Arbitrary<Act>;
  return fc.array(act, { maxLength });
}

/** The user writes lines of their own into files, new ones and others. */
function userActs(maxLength: number): fc.Arbitrary<Act[]> {
  return acts("the user", maxLength).map((all) =>
    all.map((act) => (act.do === "write" ? { ...act, text: `by the user ${userCount++}\n` } : act)),
  );
}
let userCount = 0;

function linesOfUser(tree: Readonly<Record<string, string>>): readonly string[] {
  return Object.values(tree).flatMap((content) => content.match(/by the user \d+/g) ?? []);
}

const IGNORE: Act = { do: "write", path: ".gitignore", text: "*.ign\nout/\n" };

function begun(first: readonly Act[]): RecordedProject {
  const project = new RecordedProject();
  for (const act of [IGNORE, ...first]) project.act(act);
  return project;
}

describe("a change of the agent's", { timeout: 300_000 }, () => {
  it("is taken back, and brought back, to the last bit", async () => {
    await fc.assert(
      fc.asyncProperty(acts("first", 12), acts("agent", 8), async (first, agent) => {
        const project = begun(first);
        const [before, one] = [project.tree(), await project.take()];
        for (const act of agent) project.act(act);
        const [after, other] = [project.tree(), await project.take()];
        const undone = await project.change(await project.back(one, other));
        expect(undone.conflicts).toEqual([]);
        expect(project.tree()).toEqual(before);
        const redone = await project.change(await project.back(undone.before, undone.after));
        expect(redone.conflicts).toEqual([]);
        expect(project.tree()).toEqual(after);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("what the user wrote since", { timeout: 300_000 }, () => {
  it("is there after an undo, and all is as it was after the redo", async () => {
    await fc.assert(
      fc.asyncProperty(
        acts("first", 10),
        acts("agent", 8),
        userActs(6),
        async (first, agent, user) => {
          const project = begun(first);
          const one = await project.take();
          for (const act of agent) project.act(act);
          const other = await project.take();
          for (const act of user) project.act(act);
          const mine = project.tree();
          const undone = await project.change(await project.back(one, other));
          const tree = project.tree();
          for (const { path } of undone.conflicts) expect(tree[path]).toBe(mine[path]);
          expect(linesOfUser(tree)).toEqual(expect.arrayContaining([...linesOfUser(mine)]));
          const redone = await project.change(await project.back(undone.before, undone.after));
          expect(redone.conflicts).toEqual([]);
          expect(project.tree()).toEqual(mine);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("survives any order of turns, undos and redos", async () => {
    const step = fc.oneof(
      acts("agent", 5).map((all) => ({ step: "turn", acts: all }) as const),
      userActs(4).map((all) => ({ step: "user", acts: all }) as const),
      fc.nat(3).map((back) => ({ step: "undo", back }) as const),
      fc.constant({ step: "redo" } as const),
    );
    await fc.assert(
      fc.asyncProperty(
        acts("first", 8),
        fc.array(step, { minLength: 2, maxLength: 7 }),
        async (first, steps) => {
          const project = begun(first);
          const turns: (readonly [{ commit: string }, { commit: string }])[] = [];
          const undos: (readonly [{ commit: string }, { commit: string }])[] = [];
          for (const each of steps) {
            const mine = project.tree();
            if (each.step === "turn") {
              const one = await project.take();
              for (const act of each.acts) project.act(act);
              turns.push([one, await project.take()]);
            } else if (each.step === "user") for (const act of each.acts) project.act(act);
            else {
              const [one, other] =
                each.step === "undo" ? (turns.at(-1 - each.back) ?? []) : (undos.pop() ?? []);
              if (one === undefined || other === undefined) continue;
              const { conflicts, before, after } = await project.change(
                await project.back(one, other),
              );
              if (each.step === "undo") undos.push([before, after]);
              const tree = project.tree();
              for (const { path } of conflicts) expect(tree[path]).toBe(mine[path]);
              const kept = await linesInRepository(project, before.commit);
              for (const line of linesOfUser(mine))
                expect(kept.has(line) || linesOfUser(tree).includes(line)).toBe(true);
            }
          }
        },
      ),
      { numRuns: 3 * RUNS },
    );
  });
});

async function linesInRepository(
  project: RecordedProject,
  commit: string,
): Promise<ReadonlySet<string>> {
  const shadow = await project.checkpoints.shadow();
  const tree = await shadow.tree(commit);
  if (!tree.ok) throw new Error(tree.error.message);
  const contents = await shadow.read([...tree.value.values()].map(({ oid }) => oid));
  if (!contents.ok) throw new Error(contents.error.message);
  return new Set(
    [...contents.value.values()].flatMap(
      (content) => content.toString("latin1").match(/by the user \d+/g) ?? [],
    ),
  );
}
