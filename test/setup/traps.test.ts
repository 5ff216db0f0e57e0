import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = new URL("../../", import.meta.url);

describe("docs/traps.md", () => {
  it("names tests that exist", async () => {
    const page = await readFile(fileURLToPath(new URL("docs/traps.md", root)), "utf8");
    const rows = page.split("\n").filter((line) => line.startsWith("| ") && line.includes(".ts:"));
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      const [, file = "", title = ""] = / ((?:src|test|scripts)\/\S+): "(.+)" *\|$/.exec(row) ?? [];
      const tests = await readFile(fileURLToPath(new URL(file, root)), "utf8");
      expect(tests, row).toContain(JSON.stringify(title));
    }
  });
});
