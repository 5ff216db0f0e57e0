import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { checkout } from "../setup/index.ts";

/** What the plugins of biome.json report in a file: `line:column`, and all that is printed. */
function reported(source: string): { readonly places: readonly string[]; readonly output: string } {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-names-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const { plugins } = JSON.parse(readFileSync(join(checkout, "biome.json"), "utf8")) as {
    readonly plugins: readonly string[];
  };
  const config = { plugins: plugins.map((path) => join(checkout, path)) };
  writeFileSync(join(dir, "biome.json"), JSON.stringify(config));
  writeFileSync(join(dir, "a.ts"), source);
  const biome = join(checkout, "node_modules/.bin/biome");
  const ran = spawnSync(biome, ["lint", "--only=plugin", "--colors=off", "a.ts"], {
    cwd: dir,
    encoding: "utf8",
  });
  const output = `${ran.stdout}${ran.stderr}`;
  expect(output).toContain("Checked 1 file");
  const places = [...output.matchAll(/^a\.ts:(\d+:\d+) plugin/gm)].map(([, place]) => place ?? "");
  return { places: places.sort(), output };
}

it("refuses whatever is named `it`, in whatever form, and says what to do", () => {
  const { places, output } = reported(
    [
      "a.map((it) => 1);",
      "a.map(it => 1);",
      "a.map(async (b, it = 1) => 1);",
      "a.map((...it) => 1);",
      "a.map(([, it]) => 1);",
      "a.map(({ it }) => 1);",
      "a.map(({ a: it }) => 1);",
      "a.filter((it): it is string => true);",
      "function f(it: number) {}",
      "class A { constructor(private it: number) {} f(it: number) {} }",
      "for (const it of a) a.b(it);",
      "const it = a.b;",
      "const { it } = a;",
      "await using it = a.b();",
      "function it() {}",
    ].join("\n"),
  );
  expect(places).toEqual([
    "10:31",
    "10:48",
    "11:12",
    "12:7",
    "13:9",
    "14:13",
    "15:10",
    "1:8",
    "2:7",
    "3:17",
    "4:11",
    "5:11",
    "6:10",
    "7:13",
    "8:11",
    "9:12",
  ]);
  expect(output).toContain("name the thing, as in `(line) => …`");
});

it("lets a test of vitest and a property be named `it`", () => {
  const { places } = reported(
    [
      'import { it } from "vitest";',
      'it("works", () => {});',
      "a.map((b) => ({ it: b.it, ...b }));",
      "a.map((item, its) => item);",
    ].join("\n"),
  );
  expect(places).toEqual([]);
});
