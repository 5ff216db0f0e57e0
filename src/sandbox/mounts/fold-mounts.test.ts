import { describe, expect, it } from "vitest";
import { parentDirsOf } from "../git/parent-dirs.ts";
import { foldMounts, MAX_MOUNTS } from "./fold-mounts.ts";

const repositories = (dir: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${dir}${n}/.git`);

describe("the places that are mounted read-only", () => {
  it("stay as they are if there are few", () => {
    const names = repositories("vendor/r", 20);
    expect(foldMounts(names)).toEqual({ names, notes: [] });
  });

  it("are replaced by the directory with the most of them if there are many", () => {
    const folded = foldMounts([
      ".envrc",
      ...repositories("vendor/r", 150),
      ...repositories("x/r", 3),
    ]);
    expect(folded?.names.slice(0, 2)).toEqual([".envrc", "x/r0/.git"]);
    expect(folded?.names).toContain("vendor");
    expect(folded?.notes).toEqual([expect.stringContaining("vendor is read-only as a whole")]);
    const { names } = folded ?? { names: [] };
    expect(names.length + parentDirsOf(names).length).toBeLessThanOrEqual(MAX_MOUNTS);
  });

  it("are too many if they have no common directory", () => {
    expect(foldMounts(repositories("r", 150))).toBeUndefined();
  });
});
