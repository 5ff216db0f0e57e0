import { describe, expect, it } from "vitest";
import { reduceAll } from "../reducer/reduce.ts";
import { initialState } from "../state.ts";

/** The text of a finished picture, by its reported path. */
function drawn(savedPath: string | null): unknown {
  const item = {
    type: "imageGeneration" as const,
    id: "i",
    status: "completed",
    revisedPrompt: "A dot.",
    result: null,
    savedPath,
  };
  const inTurn = { threadId: "t", turnId: "u" };
  const turn = { id: "u", status: "inProgress", error: null };
  const { edits } = reduceAll(initialState({ root: "/p", prefix: "h.", thread: "t" }), [
    { method: "turn/started", params: { threadId: "t", turn } },
    { method: "item/completed", params: { ...inTurn, item } },
  ]);
  return edits.flatMap((edit) => ("lines" in edit ? edit.lines : []));
}

describe("a picture", () => {
  it("is linked if it is saved beside the conversation", () => {
    expect(drawn("images/a-1.png")).toContain("**Drew** ![an image](images/a-1.png)");
  });

  it.each(["images/../x.png", "/etc/passwd", "images/a.sh", "images/a b.png", "images/a).png"])(
    "is not linked to %s",
    (path) => {
      expect(JSON.stringify(drawn(path))).not.toContain("](");
    },
  );

  it("is mentioned if it was not saved", () => {
    expect(drawn(null)).toContain("**Drew** an image");
  });
});
